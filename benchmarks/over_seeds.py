"""The default at several seeds: each figure's mean, and the lowest and highest.

    python benchmarks/known_truth.py ... --seed 0 --json seed0.json      and so on
    python benchmarks/over_seeds.py seed0.json seed1.json seed2.json

Takes the files that known_truth.py and real_camera.py write with --json. Of known_truth.py: the gap
closed by wild in each scenario, and its PSNR less that of bicubic-trained. Of real_camera.py: every
figure of every row, and the share of the gap to true pairs that wild closes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean

from hidden_camera import MORE, SCENARIOS

CLOSED, LEVEL = "gap_closed", "psnr"
GAUSSIAN = ("a", "b", "c", "d", "e", "x2")  # what a Gaussian blur, noise and JPEG can express


def spread(values: list[float], form: str) -> str:
    """The mean, and in brackets the lowest and the highest."""
    low, middle, high = (format(v, form) for v in (min(values), mean(values), max(values)))
    return f"{middle} ({low} to {high})"


def of_scenarios(seeds: list[dict[str, float]]) -> list[str]:
    """A line for each scenario that all seeds have, and the means of two kinds of them."""
    lines = ["| scenario | gap closed | PSNR above bicubic-trained, dB |", "| --- | --- | --- |"]
    closed: dict[str, list[float]] = {}
    for name, title in (SCENARIOS | MORE).items():
        levels = f"{name}_wild_{LEVEL}", f"{name}_bicubic-trained_{LEVEL}"
        if not all(key in seed for seed in seeds for key in levels):
            continue
        share = [seed.get(f"{name}_wild_{CLOSED}") for seed in seeds]
        if name != "clean" and None not in share:
            closed[name] = [value for value in share if value is not None]
        above = spread([seed[levels[0]] - seed[levels[1]] for seed in seeds], "+.2f")
        cell = spread(closed[name], ".0%") if name in closed else ""
        lines.append(f"| {name}: {title} | {cell} | {above} |")
    for kind, names in (
        ("Gaussian blur, noise and JPEG", [n for n in closed if n in GAUSSIAN]),
        ("other cameras", [n for n in closed if n not in GAUSSIAN]),
    ):
        if names:
            lines.append(f"| mean, {kind} | {mean(mean(closed[n]) for n in names):.0%} | |")
    return lines


def of_rows(seeds: list[dict[str, float]]) -> list[str]:
    """A line for each figure that all seeds have, and wild's share of the gap to true pairs."""
    shared = [key for key in seeds[0] if all(key in seed for seed in seeds)]
    lines = ["| figure | mean |", "| --- | --- |"]
    lines += [f"| {key} | {spread([seed[key] for seed in seeds], '.4g')} |" for key in shared]
    for figure in ("psnr", "ssim"):
        keys = [f"{row}_{figure}" for row in ("bicubic-trained", "wild", "pairs")]
        if set(keys) <= set(shared):
            low, own, high = (mean(seed[key] for seed in seeds) for key in keys)
            lines.append(
                f"| gap to true pairs closed, {figure} | {(own - low) / (high - low):.0%} |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="one of each seed")
    seeds = [json.loads(path.read_text()) for path in parser.parse_args().files]
    lines = of_scenarios(seeds)
    print("\n".join(lines if len(lines) > 2 else of_rows(seeds)))


if __name__ == "__main__":
    main()
