"""The table of a panel's numbers, and the files that hold it together with its protocol."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wildsr.metric.panel import Panel

__all__ = ["Panel", "Row", "markdown", "results", "write_results"]  # older runs' configs name Panel

DECIMALS = {"psnr": 2}  # the others have four

Values = Mapping[str, float | str | None]


@dataclass(frozen=True)
class Row:
    """One upscaler's line of the table.

    Args:
        name: what the table calls it.
        per_image: the values of each image; text (such as an "image" name) is not averaged.
        overall: the values of all images together (distances between sets), which have no mean.
    """

    name: str
    per_image: Sequence[Values]
    overall: Mapping[str, float | None] = field(default_factory=dict)

    def means(self) -> dict[str, float | None]:
        """The arithmetic mean of each metric over the images, then those of all together.

        None where an image has none.
        """
        averaged: dict[str, float | None] = {}
        for key in _columns(self.per_image):
            column = [values.get(key) for values in self.per_image]
            if any(isinstance(value, str) for value in column):
                continue
            numbers = [float(value) for value in column if value is not None]
            whole = len(numbers) == len(column)
            averaged[key] = sum(numbers) / len(numbers) if whole else None
        return {**averaged, **self.overall}


def results(rows: Sequence[Row], protocol: Mapping[str, object]) -> dict[str, object]:
    """The table as the plain structure of ``results.json``.

    A mean that is infinite (PSNR of equal images) or not a number is stored as None, because JSON
    has neither; ``protocol["not a number"]`` then says which and why.

    Returns:
        ``{"rows": [{"name": ..., metric: mean, ..., "images": count}, ...], "protocol": {...}}``.
    """
    lines: list[dict[str, object]] = []
    withheld: dict[str, str] = {}
    for row in rows:
        line: dict[str, object] = {"name": row.name}
        for metric, mean in row.means().items():
            finite = mean is None or math.isfinite(mean)
            line[metric] = mean if finite else None
            if not finite:
                kind = "infinite: an image equals its truth" if mean == math.inf else str(mean)
                withheld[f"{row.name} {metric}"] = kind
        lines.append({**line, "images": len(row.per_image)})
    stated = {**protocol, "not a number": withheld} if withheld else dict(protocol)
    return {"rows": lines, "protocol": stated}


def markdown(rows: Sequence[Row]) -> str:
    """The means as an aligned Markdown table; "n/a" where there is none."""
    means = [row.means() for row in rows]
    metrics = _columns(means)
    cells = [["upscaler", *(metric.upper() for metric in metrics), "images"]]
    for row, mean in zip(rows, means, strict=True):
        values = [_text(metric, mean.get(metric)) for metric in metrics]
        cells.append([row.name.replace("|", "\\|"), *values, str(len(row.per_image))])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    aligned = [
        [line[0].ljust(widths[0])]
        + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        for line in [cells[0], rule, *cells[1:]]
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in aligned)


def write_results(
    folder: str | Path,
    rows: Sequence[Row],
    protocol: Mapping[str, object],
    per_image: Sequence[Values] | None = None,
) -> None:
    """Write ``results.json`` (:func:`results`) and ``per_image.csv`` into a folder.

    Both appear whole or not at all.

    Args:
        folder: is made if need be.
        rows: the table.
        protocol: how it was measured.
        per_image: the lines of the CSV; by default those of the rows, each with its row's name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if per_image is None:
        per_image = [{"name": row.name, **values} for row in rows for values in row.per_image]
    text = json.dumps(results(rows, protocol), indent=2, allow_nan=False) + "\n"
    partial = folder / ".results.json.partial"
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, folder / "results.json")
    partial = folder / ".per_image.csv.partial"
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _columns(per_image))
        writer.writeheader()
        writer.writerows(per_image)
    os.replace(partial, folder / "per_image.csv")


def _columns(lines: Iterable[Mapping[str, object]]) -> list[str]:
    """The keys of all lines, in order of first appearance."""
    return list(dict.fromkeys(key for line in lines for key in line))


def _text(metric: str, value: float | None) -> str:
    return "n/a" if value is None else f"{value:.{DECIMALS.get(metric, 4)}f}"
