"""The default at several seeds: each figure's mean, and the lowest and highest.

    python benchmarks/known_truth.py ... --seed 0 --json seed0.json      and so on
    python benchmarks/over_seeds.py seed0.json seed1.json seed2.json

Takes the files that known_truth.py and real_camera.py write with --json. Of known_truth.py: the gap
closed by wild in each scenario, and its PSNR less that of bicubic-trained. Of real_camera.py: every
figure of every row.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean

from hidden_camera import MORE, SCENARIOS

CLOSED, LEVEL = "gap_closed", "psnr"


def spread(values: list[float], form: str) -> str:
    """The mean, and in brackets the lowest and the highest."""
    low, middle, high = (format(v, form) for v in (min(values), mean(values), max(values)))
    return f"{middle} ({low} to {high})"


def of_scenarios(seeds: list[dict[str, float]]) -> list[str]:
    """A line for each scenario that all seeds have."""
    lines = ["| scenario | gap closed | PSNR above bicubic-trained, dB |", "| --- | --- | --- |"]
    for name, title in (SCENARIOS | MORE).items():
        keys = f"{name}_wild_{CLOSED}", f"{name}_wild_{LEVEL}", f"{name}_bicubic-trained_{LEVEL}"
        if not all(key in seed for seed in seeds for key in keys):
            continue
        closed = spread([seed[keys[0]] for seed in seeds], ".0%")
        above = spread([seed[keys[1]] - seed[keys[2]] for seed in seeds], "+.2f")
        lines.append(f"| {name}: {title} | {closed} | {above} |")
    return lines


def of_rows(seeds: list[dict[str, float]]) -> list[str]:
    """A line for each figure that all seeds have."""
    shared = [key for key in seeds[0] if all(key in seed for seed in seeds)]
    return ["| figure | mean |", "| --- | --- |"] + [
        f"| {key} | {spread([seed[key] for seed in seeds], '.4g')} |" for key in shared
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="one of each seed")
    seeds = [json.loads(path.read_text()) for path in parser.parse_args().files]
    lines = of_scenarios(seeds)
    print("\n".join(lines if len(lines) > 2 else of_rows(seeds)))


if __name__ == "__main__":
    main()
