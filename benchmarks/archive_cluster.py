"""Many tiny photos: one process for each core, by shards, beside the same cores as a Ray cluster.

    python benchmarks/archive_cluster.py                    20,000 photos of 8x8 pixels
    python benchmarks/archive_cluster.py --photos 100000 [--way shards|ray]
    python benchmarks/archive_cluster.py --quick            figures that mean nothing

Photos so small that what counts is what is done for each: finding, opening, writing, the manifest,
and Ray's own work. Prints, for each way, photos a second by the clock (other programs disturb it),
processor time a photo with and without the start, over all processes that take part, and the
largest memory of all of them together (shared pages counted once) after a tenth of the photos and
at the end: of a flat memory the two are alike.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from archive import fill
from machine import facts, sentence

ROOT = Path(__file__).resolve().parents[1]


class Watch:
    """Sums processor time and memory of processes that a command starts, and theirs."""

    def __init__(self, roots: list[subprocess.Popen[bytes]], results: Path, tenth: int) -> None:
        self.roots, self.results, self.tenth = roots, results, tenth
        self.worked: dict[int, float] = {}
        self.early = self.peak = 0.0
        self.first: tuple[float, float] | None = None  # clock and processor time at first results
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()

    def end(self) -> None:
        """Look no more."""
        self.over.set()
        self.thread.join()

    def _look(self) -> None:
        while not self.over.wait(1.0):
            memory = 0.0
            for root in self.roots:
                try:
                    everyone = [psutil.Process(root.pid)]
                    everyone += everyone[0].children(recursive=True)
                except psutil.Error:
                    continue
                for process in everyone:
                    try:
                        times = process.cpu_times()
                        self.worked[process.pid] = times.user + times.system
                        memory += process.memory_full_info().pss / 1e6
                    except psutil.Error:
                        continue
            self.peak = max(self.peak, memory)
            made = sum(1 for _ in os.scandir(self.results)) if self.results.is_dir() else 0
            if made > 2 and self.first is None:
                self.first = (time.perf_counter(), sum(self.worked.values()))
            if made < self.tenth:
                self.early = self.peak


def carried_out(
    commands: list[list[str]], results: Path, count: int, folder: Path
) -> dict[str, float]:
    """The figures of commands that run side by side."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *sys.path])}
    environment |= {"OMP_NUM_THREADS": "1"}
    begun = time.perf_counter()
    with (folder / "log").open("wb") as log:
        started = [
            subprocess.Popen(
                [sys.executable, str(ROOT / "upscale.py"), *typed],
                env=environment,
                stdout=log,
                stderr=log,
            )
            for typed in commands
        ]
        watch = Watch(started, results, count // 10)
        codes = [process.wait() for process in started]
    seconds = time.perf_counter() - begun
    watch.end()
    made = len(list(results.glob("*.png")))
    if any(codes) or made != count:
        raise SystemExit(f"{codes}, {made} of {count}: {(folder / 'log').read_text()[-2000:]}")
    worked = sum(watch.worked.values())
    since, before = watch.first or (begun, 0.0)
    return {
        "photos_s": count / (seconds - (since - begun)),
        "ms": worked / count * 1e3,
        "ms_without_start": (worked - before) / count * 1e3,
        "early": watch.early,
        "peak": watch.peak,
    }


def weights(path: Path) -> None:
    """The smallest network that there is."""
    import torch

    from wildsr.inference.weights import save_weights
    from wildsr.network.upscaler.compact import Compact

    arguments = {"scale": 2, "features": 4, "convolutions": 1}
    torch.manual_seed(0)
    named = {"_target_": "wildsr.network.upscaler.compact.Compact", **arguments}
    save_weights(Compact(**arguments), path, named, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--way", choices=("shards", "ray"), help="one of both alone")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    given = parser.parse_args()
    count = 200 if given.quick else given.photos
    print(sentence(facts()), end="\n\n")
    with tempfile.TemporaryDirectory() as held:
        place = Path(held)
        fill(place / "in", count)
        weights(place / "it.safetensors")
        some = [f"weights={place / 'it.safetensors'}", f"input={place / 'in'}"]
        some += ["device=cpu", "precision=fp32", "tile=16"]
        cores = given.cores
        ways = {
            f"{cores} processes, shard=k/{cores}": [
                [*some, f"output={place / 'shards'}", f"shard={k + 1}/{cores}"]
                for k in range(cores)
            ],
            f"cluster=ray, {cores} cores": [
                [*some, f"output={place / 'ray'}", "cluster=ray", f"workers={cores}"]
            ],
        }
        print("| way | photos/s | ms a photo | without the start | MB at a tenth | MB, most |")
        print("|---|---|---|---|---|---|")
        for (name, commands), results in zip(ways.items(), ("shards", "ray"), strict=True):
            if given.way not in (None, results):
                continue
            found = carried_out(commands, place / results, count, place)
            numbers = [f"{found['photos_s']:.0f}", f"{found['ms']:.2f}"]
            numbers += [f"{found['ms_without_start']:.2f}"]
            numbers += [f"{found[key]:.0f}" for key in ("early", "peak")]
            print(f"| {name} | {' | '.join(numbers)} |", flush=True)


if __name__ == "__main__":
    main()
