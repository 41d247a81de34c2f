"""What an archive costs beside the network: processor time and memory a photo, by its size.

    python benchmarks/archive.py                       folders of 1,000, 20,000 and 100,000 photos
    python benchmarks/archive.py --before COMMIT       beside the code of another commit
    python benchmarks/archive.py --quick               small folders, figures that mean nothing

Tiny photos in one folder, one process each figure, one thread. Processor time, and not the clock's,
so that other programs disturb little:

- first: until the first photo could be upscaled (of an empty output);
- list: all photos found, with the names of their results, each photo;
- skip: a command that finds all results there, each photo;
- write: a result written into a folder of so many, each (the disk's own work counts, too);
- memory: of the process at its peak, less that of a folder of 10 photos.

Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from machine import facts, sentence

ROOT = Path(__file__).resolve().parents[1]
SIZES = 1_000, 20_000, 100_000
WRITTEN = 300  # files that are written into the folder of results


def fill(folder: Path, count: int) -> None:
    """Tiny photos, which differ."""
    from PIL import Image

    folder.mkdir(parents=True)
    for number in range(count):
        path = folder / f"{number:07d}.png"
        if number == 0:
            held = io.BytesIO()
            Image.new("RGB", (8, 8), (10, 20, 30)).save(held, "PNG")
        path.write_bytes(held.getvalue())


def figures(photos: Path, results: Path, kind: str) -> dict[str, float]:
    """One kind of figure, in this process."""
    count = sum(1 for _ in os.scandir(photos))
    from wildsr.atomic import write_bytes
    from wildsr.inference.file import Settings

    try:
        from wildsr.inference.tasks import tasks
    except ImportError:  # before there was one
        from wildsr.inference.job import tasks
    from wildsr.inference import job

    begun = time.process_time()
    if kind == "first":
        next(iter(tasks(photos, results / "none", None)))
        found = {"first_s": time.process_time() - begun}
    elif kind == "list":
        number = sum(1 for _ in tasks(photos, results / "none", None))
        assert number == count
        found = {"list_ms": (time.process_time() - begun) / count * 1e3}
    elif kind == "skip":
        todo = tasks(photos, results, None)
        if isinstance(todo, list):  # as the verb did
            assert all(task.target.exists() for task in todo)
        else:

            def none() -> None:
                raise AssertionError("all results are there")

            assert job.carry_out(none, todo, Settings()).skipped == count
        found = {"skip_ms": (time.process_time() - begun) / count * 1e3}
    else:
        for _ in range(WRITTEN):
            write_bytes(results / "new.png", bytes(100))
        found = {"write_ms": (time.process_time() - begun) / WRITTEN * 1e3}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**found, f"{kind}_mb": peak / 1e3}


def measured(source: Path, photos: Path, results: Path) -> dict[str, float]:
    """All figures of one folder, each in a process of its own, with the code below ``source``."""
    found: dict[str, float] = {}
    for kind in ("first", "list", "skip", "write"):
        command = [sys.executable, __file__, "--one", kind, str(photos), str(results)]
        environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise SystemExit(ran.stderr)
        found |= json.loads(ran.stdout.splitlines()[-1])
    return found


def row(name: str, count: int, found: dict[str, float], base: dict[str, float]) -> str:
    more = max(found[f"{kind}_mb"] - base[f"{kind}_mb"] for kind in ("first", "list", "skip"))
    numbers = [f"{found['first_s']:.2f}", *(f"{found[f'{k}_ms']:.3f}" for k in ("list", "skip"))]
    return f"| {name} | {count:,} | {' | '.join(numbers)} | {found['write_ms']:.2f} | {more:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--before", metavar="COMMIT", help="measure the code of that one, too")
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(figures(Path(given.one[1]), Path(given.one[2]), given.one[0])))
        return
    sizes = given.sizes or ((100, 300) if given.quick else SIZES)
    print(sentence(facts()), end="\n\n")
    print("| code | photos | first, s | list, ms | skip, ms | write, ms | memory, MB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as held:
        place = Path(held)
        sources = {"now": ROOT / "src"}
        if given.before:
            packed = subprocess.run(
                ["git", "archive", given.before, "src", "conf"],
                cwd=ROOT,
                capture_output=True,
                check=True,
            )
            with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as opened:
                opened.extractall(place / "before", filter="data")
            sources = {"before": place / "before" / "src", **sources}
        base: dict[str, dict[str, float]] = {}
        for count in (10, *sizes):
            photos, results = place / f"photos{count}", place / f"results{count}"
            fill(photos, count)
            fill(results, count)
            for name, source in sources.items():
                found = measured(source, photos, results)
                base.setdefault(name, found)
                if count != 10:
                    print(row(name, count, found, base[name]), flush=True)


if __name__ == "__main__":
    main()
