"""How many images a second PSNR, SSIM and LPIPS are measured on, beside pyiqa, in what memory.

    python benchmarks/evaluation.py

Crops of scikit-image's photos and their x4 upscalings as PNG files. Both sides read the same files
and take turns in one process with all cores; medians of the rounds, and of the rounds' ratios. RGB,
border 0: what pyiqa's `psnr`, `ssimc` and `lpips` compute. "3 rows" measures three upscalings of
every photo, as a table does: ours looks at a truth once. Processor time is given beside the time on
the clock, because it changes less on a machine that others use too. LPIPS runs on random weights of
AlexNet's layout in a temporary folder: neither speed nor memory depends on their values, and both
sides must still agree. The peak is what a process of its own needs beyond its loaded networks, for
one image of 1536x1024 pixels.

Without pyiqa (pip install 'wildsr[iqa]') the other side is a plain loop over scikit-image and the
lpips package, and the table says so.

Prints a Markdown table; --json FILE keeps the figures. --quick takes fewer images and rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from wildsr.data import demo
from wildsr.metric.panel import Panel
from wildsr.photo.image import read_image

ALEXNET, LINEAR = "alexnet-owt-7be5be79.pth", "LPIPS_v0.1_alex-df73285e.pth"
KINDS = {"bicubic": 3, "lanczos": 1, "bilinear": 2}  # Pillow's numbers
LARGE = (1024, 1536)
NAMES = ("psnr", "ssim", "lpips")
Measure = Callable[[Tensor, Tensor], list[float]]


def weights(home: Path) -> None:
    """Random AlexNet, and LPIPS' own linear layers where pyiqa looks for them."""
    import lpips
    from torchvision import models

    torch.manual_seed(0)
    state = models.alexnet(weights=None).state_dict()
    state |= {k: torch.zeros(1).expand(v.shape) for k, v in state.items() if "classifier" in k}
    for folder in ("checkpoints", "pyiqa"):
        (home / "hub" / folder).mkdir(parents=True)
    torch.save(state, home / "hub" / "checkpoints" / ALEXNET)
    linear = Path(lpips.__file__).parent / "weights" / "v0.1" / "alex.pth"
    shutil.copy(linear, home / "hub" / "pyiqa" / LINEAR)


def files(folder: Path, count: int, side: int) -> list[tuple[Path, list[Path]]]:
    """The truths, each with its three upscalings."""
    found = []
    for index in range(count):
        photo = demo.photo(("motorcycle_left", "ihc", "hubble_deep_field", "chelsea")[index % 4])
        top, left = (index // 4 * 17 % (n - side) for n in photo.shape[:2])
        hr = Image.fromarray(photo[top : top + side, left : left + side])
        lr = hr.resize((side // 4, side // 4), Image.Resampling.BICUBIC)
        hr.save(folder / f"{index}.png")
        rows = []
        for kind, number in KINDS.items():
            rows.append(folder / f"{index}-{kind}.png")
            lr.resize(hr.size, number).save(rows[-1])
        found.append((folder / f"{index}.png", rows))
    return found


def read(path: Path) -> Tensor:
    return torch.from_numpy(read_image(path)).permute(2, 0, 1)[None].float().div(255)


def ours() -> Measure:
    panel = Panel("rgb", 0, NAMES)
    assert not panel.missing(), panel.missing()

    def measure(sr: Tensor, hr: Tensor) -> list[float]:
        return [float(value) for value in panel.measure(sr, hr).values()]

    return measure


def theirs() -> Measure:
    """By pyiqa where it is installed, else scikit-image and the lpips package."""
    if importlib.util.find_spec("pyiqa") is None:
        return plain_loop()
    import pyiqa

    with contextlib.redirect_stdout(io.StringIO()):
        metrics = [pyiqa.create_metric(n, device="cpu") for n in ("psnr", "ssimc", "lpips")]
    return lambda sr, hr: [metric(sr, hr).item() for metric in metrics]


def plain_loop() -> Measure:
    import lpips
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    with contextlib.redirect_stdout(io.StringIO()):
        network = lpips.LPIPS(net="alex", verbose=False)
    ssim = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}

    def measure(sr: Tensor, hr: Tensor) -> list[float]:
        x, y = (i[0].permute(1, 2, 0).numpy().astype(np.float64) * 255 for i in (sr, hr))
        similarity = structural_similarity(y, x, data_range=255, channel_axis=-1, **ssim)
        with torch.no_grad():
            distance = network(sr * 2 - 1, hr * 2 - 1).item()
        return [peak_signal_noise_ratio(y, x, data_range=255), similarity, distance]

    return measure


def seconds(
    measure: Measure, photos: list[tuple[Path, list[Path]]], rows: int
) -> tuple[float, float]:
    """A pass over all photos, each truth read once: on the clock, of the processor."""
    start, processor = time.perf_counter(), time.process_time()
    for truth, results in photos:
        hr = read(truth)
        for path in results[:rows]:
            measure(read(path), hr)
    return time.perf_counter() - start, time.process_time() - processor


def peak(side: str) -> None:
    """In a process of its own: MiB beyond the loaded networks for one large image."""
    measure = ours() if side == "ours" else theirs()
    hr = torch.rand(1, 3, *LARGE, generator=torch.Generator().manual_seed(0))
    measure(hr[..., :64, :64] * 0.9, hr[..., :64, :64])  # buffers of the first call
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    measure(hr * 0.9, hr)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peak", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    if options.peak:
        return peak(options.peak)
    count, rounds, side = (2, 2, 192) if options.quick else (4, 3, 256)
    pyiqa = importlib.util.find_spec("pyiqa") is not None
    other = "pyiqa" if pyiqa else "scikit-image and lpips in a plain loop (pyiqa is not installed)"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["TORCH_HOME"] = str(root / "torch")
        weights(root / "torch")
        photos = files(root, count, side)
        sides = {"ours": ours(), "theirs": theirs()}
        truth, results = photos[0]
        pair = read(results[0]), read(truth)
        values = [measure(*pair) for measure in sides.values()]
        differences = [abs(a - b) for a, b in zip(*values, strict=True)]
        taken: dict[tuple[str, int, str], list[float]] = {}
        for _ in range(rounds):
            for rows in (1, len(KINDS)):
                for name, measure in sides.items():
                    clock, processor = seconds(measure, photos, rows)
                    taken.setdefault((name, rows, "images/s"), []).append(clock)
                    taken.setdefault((name, rows, "images/processor s"), []).append(processor)
        memory = {}
        for name in sides:
            command = [sys.executable, __file__, "--peak", name]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            memory[name] = float(said.split()[-1])
    figures: dict[str, float] = {}
    print(f"Beside {other}; {count} photos of {side}x{side}, {torch.get_num_threads()} threads.\n")
    print("| | ours | theirs | ratio |\n| --- | ---: | ---: | ---: |")
    for what in ("images/s", "images/processor s"):
        for rows in (1, len(KINDS)):
            spent = [taken[name, rows, what] for name in sides]
            a, b = (count * rows / statistics.median(times) for times in spent)
            ratio = statistics.median(t / o for o, t in zip(*spent, strict=True))
            said = f"{what}, {rows} row" + "s" * (rows > 1)
            print(f"| {said} | {a:.2f} | {b:.2f} | {ratio:.2f}x |")
            key = said.translate(str.maketrans(" /", "__", ","))
            figures |= {f"{key}_ours": a, f"{key}_theirs": b, f"{key}_ratio": ratio}
    share = memory["ours"] / memory["theirs"]
    print(
        f"| peak MiB, {LARGE[1]}x{LARGE[0]} | {memory['ours']:.0f} | {memory['theirs']:.0f} "
        f"| {share:.2f} |"
    )
    figures |= {f"peak_mib_{name}": value for name, value in memory.items()}
    for name, value in zip(NAMES, differences, strict=True):
        figures[f"difference_{name}"] = value
    said = ", ".join(f"{n} {d:.1e}" for n, d in zip(NAMES, differences, strict=True))
    print(f"\nLargest difference on one pair: {said}.")
    if options.json:
        options.json.write_text(json.dumps({**figures, "pyiqa": float(pyiqa)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
