"""Training curves as inline SVG."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

POINTS = 240  # of a curve; longer ones are averaged over intervals
WIDTH, HEIGHT = 240, 80


@dataclass(frozen=True)
class Curve:
    """One training curve as an SVG polyline.

    Args:
        name: as in ``metrics.csv``, such as "upscale/pixel".
        points: of the polyline, in a box of 240 x 80.
        low: the smallest value drawn.
        high: the largest value drawn.
        last: the last value.
        first_iteration: where it begins.
        last_iteration: where it ends.
    """

    name: str
    points: str
    low: float
    high: float
    last: float
    first_iteration: int
    last_iteration: int


def curves(path: Path) -> list[Curve]:
    """Read the curves of a run's ``metrics.csv``, in the order of their beginnings.

    Returns:
        The curves; none if the file is missing or damaged.
    """
    values: dict[str, list[tuple[int, float]]] = {}
    try:
        with path.open(newline="") as file:
            for line in csv.reader(file):
                if len(line) == 3 and line[0].isdigit() and not line[1].startswith("test/"):
                    value = float(line[2])
                    if math.isfinite(value):
                        values.setdefault(line[1], []).append((int(line[0]), value))
    except (OSError, ValueError):
        return []
    return [curve(name, found) for name, found in values.items() if len(found) > 1]


def curve(name: str, values: list[tuple[int, float]]) -> Curve:
    """Make a polyline from points (iteration, value), averaged to at most 240."""
    step = -(-len(values) // POINTS)
    stretches = [values[start : start + step] for start in range(0, len(values), step)]
    thin = [
        (sum(i for i, _ in part) / len(part), sum(v for _, v in part) / len(part))
        for part in stretches
    ]
    low, high = min(v for _, v in thin), max(v for _, v in thin)
    first, last = thin[0][0], thin[-1][0]
    along, up = (last - first) or 1, (high - low) or 1
    points = " ".join(
        f"{(i - first) / along * WIDTH:.1f},{(1 - (v - low) / up) * HEIGHT:.1f}" for i, v in thin
    )
    return Curve(name, points, low, high, values[-1][1], values[0][0], values[-1][0])
