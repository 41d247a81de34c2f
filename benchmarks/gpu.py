"""Every figure of a GPU in one go, within eight minutes after the tests: make gpu.

    python benchmarks/gpu.py                                     scikit-image's photos
    python benchmarks/gpu.py --hr DIR --lr DIR --minutes 30      photos of your own, more time
    python benchmarks/gpu.py --quick --out /tmp/gpu              a dry run on a CPU

First the tests marked `gpu`. Then, within --minutes: upscaling (fp32, half precision, compiled,
several tiles; MPix/s and peak memory), training beside a bare loop, degradations beside the naive
reference and Kornia, and in what time is left every method where the truth is known, at published
sizes, several processes on the one device. A part that fails is noted, and the others go on; what
is measured is written at once: --out/gpu.json, and --out/gpu.md, the page of the documentation.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import machine
import torch
import training
from gpu_page import page

ROOT = Path(__file__).resolve().parents[1]
SCALE, ROUNDS = 4, 3
SECONDS = {"upscaling": 100, "training": 80, "degradation": 60}  # at most; the rest: known truth
ROWS = "bicubic", "bicubic-trained", "oracle", "wild"  # of known truth, first
RIVALS = ("pdm", "dasr", "bulat", "impressionism", "cyclesr", "dsgan", "cincgan", "maeda")
RIVALS += ("lud_vae",)
START, SETUP = 30.0, 25.0  # seconds of the start of known truth, and of a row beside its training


class Clock:
    """How much of the time is left."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()


def run(command: list[str], seconds: float, **options: Any) -> tuple[int | None, str]:
    """Carry out a program and all that it starts; its code (None: the time was up) and output."""
    with tempfile.TemporaryFile("w+") as said:
        made = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True, **options
        )
        code: int | None = None
        try:
            code = made.wait(max(seconds, 1))
        except subprocess.TimeoutExpired:
            pass
        finally:
            if code is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(made.pid, signal.SIGKILL)  # a group of its own
                made.wait()
        said.seek(0)
        return code, said.read()


# The parts -------------------------------------------------------------------------------------


def tests(seconds: float) -> str:
    """Pytest's last line."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests"]
    code, said = run(command, seconds, cwd=ROOT)
    last = (said.strip().splitlines() or [""])[-1]
    return "not finished in time" if code is None else f"{last} (exit code {code})"


def variants(quick: bool) -> Iterator[tuple[str, str, str, int | None]]:
    """Network, precision, engine, tile; the most telling first."""
    if quick:
        yield from (
            ("compact_small", "fp32", "torch", None),
            ("compact_small", "auto", "torch", 32),
        )
        return
    for name in ("compact", "rrdb", "edsr"):
        for precision in ("fp32", "fp16", "bf16"):
            yield name, precision, "torch", None
    for tile in (128, 256, 512, 1024):
        yield "compact", "fp16", "torch", tile
        yield "rrdb", "fp16", "torch", tile
    yield "compact", "fp16", "compile", 512
    yield "rrdb", "fp16", "compile", 512


def upscaling(device: str, quick: bool, clock: Clock) -> dict[str, Any]:
    """MPix/s of output and peak memory."""
    import numpy as np

    from wildsr.config.compose import configure
    from wildsr.config.make import make
    from wildsr.data import demo
    from wildsr.inference.prepare import prepare
    from wildsr.inference.strips import upscale_image

    photo = demo.photo(demo.HR[0])
    height, width = (64, 96) if quick else (720, 1280)
    reach = (-(-height // photo.shape[0]), -(-width // photo.shape[1]), 1)
    image = np.ascontiguousarray(np.tile(photo, reach)[:height, :width])
    megapixels, rounds = height * width * SCALE**2 / 1e6, 1 if quick else ROUNDS
    rows: list[dict[str, Any]] = []
    place = torch.device(device)

    def timed(call: Callable[[], object]) -> float:
        taken = []
        for _ in range(rounds + 1):
            begun = time.perf_counter()
            call()
            if device == "cuda":
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - begun)
        return megapixels / statistics.median(taken[1:])

    for name, precision, engine, tile in variants(quick):
        if clock.left < 0:
            break
        row: dict[str, Any] = {"network": name, "precision": precision, "engine": engine}
        row["tile"] = tile or "auto"
        rows.append(row)
        try:
            torch.manual_seed(0)
            typed = ["method=supervised", f"network/upscaler={name}"]
            net = make(configure("train", typed).network.upscaler, "network.upscaler")
            options: dict[str, Any] = {"engine": engine, "precision": precision, "tile": tile}
            upscaler = prepare(net, SCALE, name, place, **options)
            if device == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            row["mpix_per_s"] = timed(lambda u=upscaler: upscale_image(u, image))  # type: ignore[misc]
            row["tile"] = upscaler.side
            if device == "cuda":
                row["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
            if tile is None:
                lr = torch.from_numpy(image).permute(2, 0, 1)[None].to(place).float() / 255
                row["alone_mpix_per_s"] = timed(lambda u=upscaler, x=lr: u(x))  # type: ignore[misc]
        except RuntimeError as error:  # out of memory, no such operation
            row["failed"] = str(error).splitlines()[0][:120]
    tf32 = device == "cuda" and torch.backends.cudnn.allow_tf32
    return {"rows": rows, "size": f"{width}x{height}", "rounds": rounds, "tf32": tf32}


def trained(device: str, quick: bool, clock: Clock) -> dict[str, Any]:
    """An iteration beside the bare loop."""
    rows = []
    kinds = ("32-true", "bf16-mixed") if device == "cuda" else ("32-true",)
    for precision in kinds:
        for case in training.CASES[:2] if quick else training.CASES:
            if clock.left < 0:
                break
            found = training.measure(case, 2 if quick else 60, quick, device, precision)
            rows.append({"case": case, "precision": precision, **found})
    return {"rows": rows}


def degraded(device: str, quick: bool, clock: Clock) -> dict[str, Any]:
    """Beside the naive reference and Kornia."""
    side, batch = (64, 2) if quick else (256, 12)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [sys.executable, str(ROOT / "benchmarks/degradation.py"), "--device", device]
        command += ["--json", str(file), "--side", str(side), "--batch", str(batch)]
        code, said = run([*command, *(["--quick"] if quick else [])], clock.left)
        if code != 0:
            raise RuntimeError(_why(code, said))
        return {"figures": json.loads(file.read_text()), "side": side, "batch": batch}


def known_truth(
    device: str, quick: bool, clock: Clock, hr: Path | None, lr: Path | None
) -> dict[str, Any]:
    """Every method for the same seconds, as far as the time reaches."""
    import known_truth as benchmark

    jobs = 1 if quick else min(4, max((os.cpu_count() or 2) // 2, 1))
    rows = ["bicubic", "wild"] if quick else [*ROWS, *RIVALS]
    rounds = -(-len(rows) // jobs)
    seconds = 0.5 if quick else max((clock.left - START - SETUP) / rounds - SETUP, 10.0)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "benchmarks/known_truth.py"), "--scenario", "a"]
        command += ["--work", folder, "--method", *rows, "--photos", "2" if quick else "20"]
        command += ["--seconds", str(seconds), "--start", str(0.5 if quick else START)]
        command += ["--jobs", str(jobs), *(["--full"] if device == "cuda" else [])]
        command += ["--hr", str(hr), "--lr", str(lr)] if hr and lr else []
        code, said = run(command, clock.left)
        done = sorted((Path(folder) / "results").glob("a-*.json"))
        found = {"a": {f.stem.removeprefix("a-"): json.loads(f.read_text()) for f in done}}
        if not done:
            raise RuntimeError(_why(code, said))
    there = [row for row in rows if row in found["a"]]
    return {
        "rows": found["a"],
        "table": list(benchmark.table(found, ["a"], there)),
        "missing": [row for row in rows if row not in found["a"]],
        "upscaler": "edsr" if device == "cuda" else "compact_small",
        "seconds": seconds,
        "full": device == "cuda",
        "jobs": jobs,
        "photos": f"photos of {hr.name}" if hr else "scikit-image's few photos",
    }


def _why(code: int | None, said: str) -> str:
    last = (said.strip().splitlines() or ["nothing was said"])[-1]
    return "the time was up" if code is None else f"exit code {code}: {last[:200]}"


# Of all ----------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="of all but the tests")
    parser.add_argument("--hr", type=Path, help="folder of sharp photos")
    parser.add_argument("--lr", type=Path, help="folder of other sharp photos, for LR and test")
    parser.add_argument("--out", type=Path, help="folder of the two files (docs)")
    parser.add_argument("--no-tests", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if bool(options.hr) != bool(options.lr):
        parser.error("--hr and --lr come together")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not options.quick:
        parser.error("torch finds no GPU here; --quick makes a dry run on the CPU")
    scratch = tempfile.TemporaryDirectory() if options.quick and not options.out else None
    out = Path(scratch.name) if scratch else options.out or ROOT / "docs"
    out.mkdir(parents=True, exist_ok=True)
    if device == "cpu":
        torch.set_num_threads(1)
    begun = time.monotonic()
    found: dict[str, Any] = {"machine": machine.facts(), "quick": options.quick, "minutes": 0.0}
    found["date"] = datetime.date.today().isoformat()
    if device == "cuda" and not options.no_tests:
        found["tests"] = tests(600)
    whole = Clock(60 * options.minutes)
    parts: dict[str, Callable[[Clock], dict[str, Any]]] = {
        "upscaling": lambda clock: upscaling(device, options.quick, clock),
        "training": lambda clock: trained(device, options.quick, clock),
        "degradation": lambda clock: degraded(device, options.quick, clock),
        "known_truth": lambda clock: known_truth(
            device, options.quick, clock, options.hr, options.lr
        ),
    }
    for name, part in parts.items():
        share = min(SECONDS.get(name, whole.left), whole.left)
        if share > 0:
            try:
                found[name] = part(Clock(share))
            except Exception as error:  # one part's failure is not that of the others
                found[name] = {"failed": f"{type(error).__name__}: {error}"[:300]}
        found["minutes"] = (time.monotonic() - begun) / 60
        (out / "gpu.json").write_text(json.dumps(found, indent=1) + "\n")
        (out / "gpu.md").write_text(page(found))
        print(f"{name}: {found['minutes']:.1f} minutes", file=sys.stderr, flush=True)
    print(page(found))
    if any("failed" in found.get(name, {}) for name in parts):
        sys.exit(1)


if __name__ == "__main__":
    main()
