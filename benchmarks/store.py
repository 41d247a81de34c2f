"""A store of very many photos: how long it takes to build, to start from, and to cut crops out of.

    python benchmarks/store.py                       200,000 photos of 24 x 28 pixels, made for this
    python benchmarks/store.py --count 20000 --json FILE

Processor seconds and memory, each part in a process of its own: the decoding of all files into the
cache; a start that finds them there (`prepare_data` and `setup` of `data=folders`); and crops.
They are the LR photos; the sharp ones are eight. --quick takes 2,000 photos.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (24, 28)
FOLDER = 2000  # photos of each folder within the folder


def write(root: Path, count: int) -> None:
    """Write small PNG files, all different."""
    generator = np.random.default_rng(0)
    for index in range(count):
        if index % FOLDER == 0:
            inside = root / f"{index // FOLDER:04d}"
            inside.mkdir(parents=True)
        pixels = generator.integers(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(inside / f"{index:07d}.png", compress_level=0)


def folders(root: Path, cache: Path):
    """The data module of ``data=folders`` on these photos."""
    from wildsr.data.module import Folders

    sharp = root.with_name("sharp")
    return Folders(str(root), str(sharp), 2, 8, 16, 0, cache=str(cache), trust=True)


def start(root: Path, cache: Path) -> dict[str, float]:
    """What a training does before its first crop."""
    data = folders(root, cache)
    data.prepare_data()
    data.setup()
    return {"photos": len(data.lr_store)}


def crops(root: Path, cache: Path) -> dict[str, float]:
    """How many crops a second: while photos are first compared with their checksums, and later."""
    data = folders(root, cache)
    data.setup()
    data.iterations = 10**9
    batches = iter(data.train_dataloader())
    first = _speed(batches)
    for index in range(len(data.lr_store)):
        data.lr_store.image(index)
    return {"first_crops_per_second": first, "crops_per_second": _speed(batches)}


def _speed(batches) -> float:
    begun, count = time.process_time(), 0
    while time.process_time() - begun < 3:
        count += len(next(batches)["hr"]) * 2
    return count / (time.process_time() - begun)


def measured(function, *arguments) -> dict[str, float]:
    """Processor seconds and the memory that a function adds to the imports, in a new process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    found = ours.recv()
    process.join()
    return found


def _measure(pipe, function, arguments) -> None:
    import wildsr.data.module  # noqa: F401  (its import is not what is measured)

    before, begun = _resident(), os.times()
    found = function(*arguments)
    ended = os.times()
    used = (ended.user - begun.user) + (ended.system - begun.system)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send({**found, "cpu_seconds": used, "mb": peak - before})


def _resident() -> float:
    import psutil

    return psutil.Process().memory_info().rss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count = 2000 if options.quick else options.count
    with tempfile.TemporaryDirectory() as scratch:
        root, cache = Path(scratch) / "photos", Path(scratch) / "cache"
        write(root, count)
        write(root.with_name("sharp"), 8)
        print(f"{count} photos are written", file=sys.stderr, flush=True)
        parts = {"build": start, "start again": start, "crops": crops}
        figures = {}
        for name, function in parts.items():
            figures[name] = measured(function, root, cache)
            print(name, figures[name], file=sys.stderr, flush=True)
        files = [path for path in cache.rglob("*") if path.is_file()]
        index = sum(p.stat().st_size for p in files if p.name != "pixels.bin") / 1e6
        pixels = sum(p.stat().st_size for p in files if p.name == "pixels.bin") / 1e6
    print(f"\n{count} photos; {pixels:.0f} MB of pixels, {index:.1f} MB beside them\n")
    print("| | CPU seconds | ms a photo | memory beyond the imports (MB) |")
    print("| --- | ---: | ---: | ---: |")
    for name in ("build", "start again"):
        used = figures[name]["cpu_seconds"]
        print(f"| {name} | {used:.1f} | {1000 * used / count:.3f} | {figures[name]['mb']:.0f} |")
    speeds = figures["crops"]
    print(f"\ncrops of 16 x 16 and 8 x 8 a CPU second: {speeds['crops_per_second']:.0f}, ", end="")
    print(f"{speeds['first_crops_per_second']:.0f} while photos are looked at for the first time")
    if options.json:
        options.json.write_text(json.dumps(figures | {"index_mb": index}, indent=1))


if __name__ == "__main__":
    main()
