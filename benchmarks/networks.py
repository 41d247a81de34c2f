"""Every upscaler: its size, its speed, and what it learns in the same training time.

    python benchmarks/networks.py                                        the demo's photos
    python benchmarks/networks.py --hr DIR --test DIR [--seconds 60]     photos of your own
    python benchmarks/networks.py --only compact --only rrdb --plot docs/networks.png

Speed, memory and operations are those of one 320x240 LR image at x4 with all cores; where the
spandrel package has the architecture, both take turns in one process (ours as the verbs run it,
with channels last; spandrel's as it comes; both after the same tuning of the allocator). Quality is
PSNR / SSIM (RGB, border 4) on held-out photos after the same seconds of supervised training on
bicubic pairs, one thread each; the same photos, crops, seed and optimiser for all. Published
training takes days: the column says how soon a network learns, not how far it gets.

*MPix / processor s* counts the time of all cores, so that other work on the machine counts little,
and so does *processor s* of each training, its start and measurement included.

Prints a Markdown table; --json FILE keeps the figures. --quick measures the smallest network and an
interpolation, and trains for a moment.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCALE, WIDTH, HEIGHT = 4, 320, 240
SIZED = "compact_small", "bicubic"  # of --quick
FIXED = "nearest", "bilinear", "bicubic", "lanczos"
PHOTOS = 10  # held out
BUDGET = 20.0  # seconds for the rounds of one network's timing


def photos(hr: Path | None, test: Path | None, root: Path) -> list[str]:
    """Folders for training on bicubic pairs, and the overrides that name them."""
    import numpy as np
    import torch
    from PIL import Image

    from wildsr.data import demo
    from wildsr.degradation.bicubic import Bicubic
    from wildsr.photo.image import list_images, read_image

    if hr is None or test is None:
        hr, test = root / "hr", root / "test"
        for folder, names in ((hr, demo.HR), (test, demo.HELD_OUT)):
            folder.mkdir()
            for name in names:
                Image.fromarray(demo.photo(name)).save(folder / f"{name}.png")
    for folder in ("lr", "val_hr"):
        (root / folder).mkdir()
    for path in list_images(test, "--test")[:PHOTOS]:
        photo = read_image(path)
        height, width = (side // SCALE * SCALE for side in photo.shape[:2])
        sharp = np.ascontiguousarray(photo[:height, :width])
        small = Bicubic(SCALE)(torch.from_numpy(sharp).permute(2, 0, 1)[None].float() / 255)
        taken = small[0].permute(1, 2, 0).mul(255).round().byte().numpy()
        Image.fromarray(taken).save(root / "lr" / f"{path.stem}.png")
        Image.fromarray(sharp).save(root / "val_hr" / f"{path.stem}.png")
    named = {"hr": hr.resolve(), "lr": root / "lr", "val_lr": root / "lr"}
    named |= {"val_hr": root / "val_hr", "cache": root / "cache"}
    return ["data=folders", *(f"data.{name}={folder}" for name, folder in named.items())]


def quality(name: str, overrides: list[str], root: Path) -> dict[str, float]:
    """PSNR, SSIM and iterations of one training; of an interpolation, what it gives."""
    runs = root / "runs"
    if name in FIXED:
        folders = [o for o in overrides if o.startswith("data.val_")]
        folders = [o.replace("data.val_", "data.") for o in folders]
        verb = ["evaluate.py", f"upscaler={name}", f"output={runs / name}", *folders]
    else:
        verb = ["train.py", "method=supervised", f"network/upscaler={name}", f"name={name}"]
        verb += [f"runs_dir={runs}", "logger=none", "trainer.accelerator=cpu", "data.patch=24"]
        verb += ["data.batch=8", "data.trust=true", "validate_every=1000000", *overrides]
        verb += ["snapshots=0", "metric.metrics=[psnr,ssim]"]
    command = [sys.executable, str(ROOT / verb[0]), *verb[1:]]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    before = children()
    subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
    results = json.loads((runs / name / "results.json").read_text())
    row = results["rows"][-1]
    iterations = results["protocol"].get("iterations", 0)
    found = {"psnr": row["psnr"], "ssim": row["ssim"], "iterations": iterations}
    return {**found, "processor_s": children() - before}


def children() -> float:
    """Processor seconds of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def speed(name: str) -> dict[str, float]:
    """Size, operations, time and memory of one network; runs in a process of its own."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from wildsr.config.allocator import tune_allocator
    from wildsr.config.compose import configure
    from wildsr.config.make import make

    tune_allocator()
    config = configure("train", [f"network/upscaler={name}", f"scale={SCALE}"])
    torch.manual_seed(0)
    network = make(config.network.upscaler, "network.upscaler").eval()
    theirs = spandrels(network)
    network = network.to(memory_format=torch.channels_last)
    lr = torch.rand(1, 3, HEIGHT, WIDTH)
    ours_lr = lr.contiguous(memory_format=torch.channels_last)
    figures: dict[str, float] = {"parameters": sum(p.numel() for p in network.parameters())}
    with torch.inference_mode():
        # On a strip, as operations are in proportion to pixels; windows need whole ones.
        counter = FlopCounterMode(display=False)
        with counter:
            network(ours_lr[..., :64, :64])
        pixels = HEIGHT * WIDTH / 64**2
        figures["gmacs"] = counter.get_total_flops() / 2 * pixels / 1e9
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start, processor = time.perf_counter(), time.process_time()
        network(ours_lr)
        first, spent = time.perf_counter() - start, time.process_time() - processor
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        figures["peak_mb"] = (after - before) / 1024
        taken: dict[str, list[float]] = {"ours": [], "theirs": []}
        used: list[float] = []  # processor seconds of ours
        while sum(map(sum, taken.values())) + 2 * first < BUDGET and len(taken["ours"]) < 9:
            for who, call in (("ours", lambda: network(ours_lr)), ("theirs", lambda: theirs(lr))):
                if who == "ours" or theirs is not None:
                    start, processor = time.perf_counter(), time.process_time()
                    call()
                    taken[who].append(time.perf_counter() - start)
                    if who == "ours":
                        used.append(time.process_time() - processor)
    ours = statistics.median(taken["ours"] or [first])
    megapixels = HEIGHT * WIDTH * SCALE**2 / 1e6
    figures["mpix_per_processor_s"] = megapixels / statistics.median(used or [spent])
    figures["mpix_per_s"] = megapixels / ours
    figures["rounds"] = len(taken["ours"])
    if taken["theirs"]:
        figures["over_spandrel"] = statistics.median(taken["theirs"]) / ours
    return figures


def spandrels(network):
    """The same weights in spandrel's network, or None where it does not know the architecture."""
    from spandrel import ModelLoader

    with contextlib.suppress(Exception):
        return ModelLoader().load_from_state_dict(dict(network.state_dict())).model.eval()
    return None


def plot(rows: dict[str, dict[str, float]], path: Path) -> None:
    """Quality against speed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for name, row in rows.items():
        axes.scatter(row["mpix_per_s"], row["psnr"], color="tab:gray" if name in FIXED else "C0")
        axes.annotate(
            name, (row["mpix_per_s"], row["psnr"]), (4, 4), textcoords="offset points", fontsize=8
        )
    axes.set(xscale="log", xlabel="output, megapixels a second", ylabel="PSNR, dB")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hr", type=Path, help="sharp photos to train on")
    parser.add_argument("--test", type=Path, help="sharp photos to measure on")
    parser.add_argument("--seconds", type=float, default=60, help="of training, each")
    parser.add_argument("--only", action="append", help="a choice of network/upscaler")
    parser.add_argument("--speed-only", action="store_true", help="train nothing")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--speed-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.speed_of:
        print(json.dumps(speed(options.speed_of)))
        return
    if bool(options.hr) != bool(options.test):
        parser.error("--hr and --test come together")
    available = sorted(p.stem for p in (ROOT / "conf/network/upscaler").glob("*.yaml"))
    available.remove("published")  # any of the others, from a file
    if unknown := set(options.only or ()) - set(available):
        parser.error(f"--only must be one of {available}, but got {sorted(unknown)}")
    names = options.only or (list(SIZED) if options.quick else available)
    training = [f"seconds={options.seconds}", "iterations=1000000"]
    training = ["iterations=20"] if options.quick else training

    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        overrides = photos(options.hr, options.test, Path(scratch))
        for name in names:
            command = [sys.executable, __file__, "--speed-of", name]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rows[name] = json.loads(printed.splitlines()[-1])
            if not options.speed_only:
                rows[name] |= quality(name, [*overrides, *training], Path(scratch))
            print(name, rows[name], file=sys.stderr, flush=True)
    print(table(rows))
    if options.plot and not options.speed_only:
        plot(rows, options.plot)
    if options.json:
        flat = {f"{name}_{k}": v for name, row in rows.items() for k, v in row.items()}
        options.json.write_text(json.dumps(flat, indent=1))


def table(rows: dict[str, dict[str, float]]) -> str:
    """Markdown, the quickest first."""
    heads = ("parameters", "GMACs", "output MPix/s", "MPix / processor s", "over spandrel")
    heads += ("peak MB", "iterations", "processor s")
    lines = [f"| upscaler | {' | '.join(heads)} | PSNR / SSIM |", "| --- |" + " ---: |" * 9]
    for name, row in sorted(rows.items(), key=lambda item: -item[1]["mpix_per_s"]):
        ratio = f"{row['over_spandrel']:.2f}x" if "over_spandrel" in row else "-"
        cells = [f"{row['parameters']:,.0f}", f"{row['gmacs']:.1f}", f"{row['mpix_per_s']:.3f}"]
        cells += [f"{row['mpix_per_processor_s']:.3f}"]
        cells += [ratio, f"{row['peak_mb']:.0f}"]
        trained = "psnr" in row
        cells += [f"{row['iterations']:.0f}"] if trained else ["-"]
        cells += [f"{row['processor_s']:.0f}"] if trained else ["-"]
        cells += [f"{row['psnr']:.2f} / {row['ssim']:.4f}"] if trained else ["-"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
