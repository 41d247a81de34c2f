"""Photos from file to file: speed and memory of `upscale`, beside the realesrgan package.

    python benchmarks/upscale.py                                 a generated photo, random weights
    python benchmarks/upscale.py --photos DIR --weights FILE.pth photos and weights of your own
    python benchmarks/upscale.py --large                         200 megapixels of output as well

Every row is a process of its own: it loads the network, upscales one small photo to warm up, and
then all photos, each decoded, upscaled and written as PNG. Rows take turns; MPix/s (of output) are
medians over the rounds, by the clock and by the processors' time (which other programs disturb
less); peak memory is the largest resident set of the process, with the Python libraries in it. The
row "realesrgan" is the package's own RealESRGANer (tile 256, the padding it has by default, fp32)
on the same weights, with OpenCV reading and writing, where the package can be imported (`pip
install realesrgan`; its broken import of torchvision is mended here); otherwise it is left out. It
needs weights of the compact architecture. What each row of ours computes in, which engine "auto"
chose and what int8 costs in dB is said on the error output; int8 is calibrated on the same photos.

The CPU, its instructions and the load stand above the table. Ratios are left out where other
programs take more than a tenth of the cores before the benchmark or between its rounds, for then
they do not hold on a quiet machine; --loaded prints them all the same, and says so.

--large takes 200 megapixels of output out of a network of 2044 weights, and one photo of 96
megapixels of output for both: there memory is the question, not speed.

Prints a Markdown table; --json FILE keeps the figures. --quick: one small photo, one round.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

# ENGINE or ENGINE-PRECISION; without one it is precision=auto.
ENGINES = (
    *("torch", "torch-fp32", "onnxruntime", "openvino", "openvino-fp32", "openvino-int8"),
    "auto",
)
NEEDS = {
    "onnxruntime": ("onnxruntime", "onnx"),
    **dict.fromkeys(("openvino", "openvino-fp32"), ("openvino", "onnx")),
    "openvino-int8": ("openvino", "onnx", "nncf"),
}
PEER = "realesrgan"
TILE = 256  # of the package


def generated(path: Path, width: int, height: int) -> Path:
    """Smooth colours with some noise, which compress like a photo."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
    noisy = smooth.astype(np.int16) + generator.integers(-6, 7, smooth.shape, dtype=np.int16)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)
    return path


def random_weights(path: Path, features: int = 64, convolutions: int = 16) -> Path:
    import torch

    from wildsr.network.upscaler.compact import Compact

    torch.manual_seed(0)
    torch.save({"params": Compact(4, features, convolutions).state_dict()}, path)
    return path


# In the process of a row -----------------------------------------------------------------------


def ours(engine: str, weights: Path, photos: list[Path]):
    from wildsr.config.allocator import tune_allocator
    from wildsr.inference.file import upscale_file
    from wildsr.run.load import load_upscaler

    tune_allocator()
    name, _, kind = engine.partition("-")
    options = {"engine": name, "precision": kind or "auto", "device": "cpu"}
    options["calibration"] = photos if "int8" in engine or name == "auto" else None
    upscaler = load_upscaler(weights=weights, **options)
    print(f"{engine}: {upscaler.means}", file=sys.stderr)
    return lambda source, target: upscale_file(upscaler, source, target)


def theirs(weights: Path):
    import types

    import torch
    import torchvision.transforms.functional as functional

    # basicsr imports this from a module that torchvision has removed.
    mended = types.ModuleType("torchvision.transforms.functional_tensor")
    mended.rgb_to_grayscale = functional.rgb_to_grayscale
    sys.modules.setdefault(mended.__name__, mended)
    import cv2
    from realesrgan.archs.srvgg_arch import SRVGGNetCompact
    from realesrgan.utils import RealESRGANer

    held = torch.load(weights, map_location="cpu", weights_only=True)
    keys = held.get("params_ema", held.get("params", held))
    last = max(int(key.split(".")[1]) for key in keys)
    network = SRVGGNetCompact(
        num_feat=keys["body.0.weight"].shape[0], num_conv=last // 2 - 1, upscale=4
    )
    if "params" not in held and "params_ema" not in held:
        raise SystemExit("realesrgan reads weights under `params` or `params_ema` only")
    helper = RealESRGANer(
        4, str(weights), model=network, tile=TILE, half=False, device=torch.device("cpu")
    )

    def upscale(source: Path, target: Path) -> None:
        image = cv2.imread(str(source), cv2.IMREAD_UNCHANGED)
        sys.stdout, silent = open(os.devnull, "w"), sys.stdout  # noqa: SIM115 (a line for each tile)
        try:
            enlarged, _ = helper.enhance(image)
        finally:
            sys.stdout = silent
        cv2.imwrite(str(target), enlarged)

    return upscale


def measure(row: str, weights: Path, photos: list[Path], warm: Path, folder: Path) -> None:
    """Print seconds (and those of processors), megapixels of output, peak of memory in GB."""
    from PIL import Image

    upscale = theirs(weights) if row == PEER else ours(row, weights, photos)
    upscale(warm, folder / "warm.png")
    begun, worked = time.perf_counter(), time.process_time()
    for number, photo in enumerate(photos):
        upscale(photo, folder / f"{number}.png")
    seconds, worked = time.perf_counter() - begun, time.process_time() - worked
    Image.MAX_IMAGE_PIXELS = None
    sizes = [Image.open(folder / f"{number}.png").size for number in range(len(photos))]
    megapixels = sum(width * height for width, height in sizes) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    figures = {"seconds": seconds, "worked": worked, "megapixels": megapixels, "peak": peak}
    print(json.dumps(figures))


# Of all ----------------------------------------------------------------------------------------


def rows(wanted: list[str]) -> list[str]:
    """The rows that can be measured here."""
    needs = {**NEEDS, PEER: (PEER, "basicsr", "cv2")}
    found = []
    for row in wanted:
        lacking = [name for name in needs.get(row, ()) if importlib.util.find_spec(name) is None]
        if lacking:
            print(f"{row} is left out: {', '.join(lacking)} not installed", file=sys.stderr)
        else:
            found.append(row)
    return found


def spawn(row: str, weights: Path, photos: list[Path], warm: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--row", row, "--weights", str(weights)]
        command += ["--warm", str(warm), "--folder", folder, *map(str, photos)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{row} failed:\n{done.stderr[-2000:]}")
    said = [line for line in done.stderr.splitlines() if line.startswith(f"{row}: ")]
    if said:  # which engine and format, and what int8 costs
        print(said[-1], file=sys.stderr)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def table(
    title: str,
    taken: dict[str, list[dict[str, float]]],
    figures: dict[str, object],
    ratios: bool = True,
) -> None:
    head = ["", "MPix/s", "x", "MPix per processor-second", "x", "peak memory, GB", "x"]
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    base: list[float] = []
    for row, several in taken.items():
        found = [
            statistics.median(one["megapixels"] / one["seconds"] for one in several),
            statistics.median(one["megapixels"] / one["worked"] for one in several),
            statistics.median(one["peak"] for one in several),
        ]
        base = base or found
        key = f"{title.split(':')[0]}/{row}".replace(" ", "_")
        names = ("mpix_per_second", "mpix_per_processor_second", "peak_gb")
        figures |= {f"{key}/{name}": value for name, value in zip(names, found, strict=True)}
        times = [f"{new / old:.2f}" if ratios else "" for new, old in zip(found, base, strict=True)]
        cells = [f"{new:.2f} | {time}" for new, time in zip(found, times, strict=True)]
        name, _, kind = row.partition("-")
        label = f"upscale, engine={name}" + (f" precision={kind}" if kind else "")
        label = f"realesrgan, tile {TILE}" if row == PEER else label
        print(f"| {label} | {' | '.join(cells)} |")
    if ratios:
        print(f"\nx: of the first row ({next(iter(taken))}).")
    else:
        print("\nNo ratios: other programs ran; on a quiet machine, or with --loaded.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="a folder of photos")
    parser.add_argument("--weights", type=Path, help="a .pth file of the compact architecture, x4")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", default=[PEER, *ENGINES])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--loaded", action="store_true", help="ratios in spite of other programs")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--warm", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("sources", type=Path, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        measure(options.row, options.weights, options.sources, options.warm, options.folder)
        return
    if options.quick:
        options.rounds = 1
    found = machine.facts()
    figures: dict[str, object] = {"machine": found}
    print(f"On {machine.sentence(found)}.")
    most = [float(found["busy"])]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        warm = generated(root / "warm.png", 64, 64)
        if options.photos:
            photos = sorted(p for p in options.photos.iterdir() if p.suffix in (".png", ".jpg"))
        else:
            side = (160, 120) if options.quick else (480, 320)
            photos = [generated(root / "photo.png", *side)]
        weights = options.weights or random_weights(root / "random.pth")
        names = rows(["torch", "openvino"] if options.quick else options.rows)
        taken: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                taken[name].append(spawn(name, weights, photos, warm))
            most.append(machine.busy())
        figures["busy"] = most
        ratios = options.loaded or max(most) <= machine.BUSY
        if max(most) > machine.BUSY:
            print(f"\nOther programs took up to {max(most):.0%} of the cores meanwhile.")
        table("photos: all cores", taken, figures, ratios)
        if options.large:
            tiny = random_weights(root / "tiny.pth", features=4, convolutions=1)
            wide = [generated(root / "wide.png", 3000, 2000)]
            both = {row: [spawn(row, tiny, wide, warm)] for row in rows([PEER, "torch"])}
            table("96 MPix: 3000x2000 to 12000x8000, a tiny network", both, figures, ratios)
            huge = [generated(root / "huge.png", 4096, 3072)]
            one = {"torch": [spawn("torch", tiny, huge, warm)]}
            table("201 MPix: 4096x3072 to 16384x12288, a tiny network", one, figures, ratios)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
