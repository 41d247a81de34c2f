"""Write the results table: ``results.json``, ``results.csv``, ``.md`` and ``per_image.csv``."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from wildsr.atomic import write_text
from wildsr.evaluation.significance import STATED
from wildsr.evaluation.summary import ALL_PAIRS, Compared, Summary


def write(folder: Path, summary: Summary) -> None:
    """Write all four files; each appears only when it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    structure = json.dumps(structured(summary), indent=2, allow_nan=False) + "\n"
    for name, text in (
        ("results.json", structure),
        ("results.csv", _csv(flat(summary))),
        ("results.md", markdown(summary) + "\n"),
        ("per_image.csv", _csv(per_image(summary))),
    ):
        write_text(folder / name, text)


def structured(summary: Summary) -> dict[str, object]:
    """The table as the plain data of ``results.json``.

    ``rows`` (means over all photos) and ``protocol`` are always there; next to them ``intervals``
    and ``comparisons``, ``sets`` (the same for each set, if there are several) and ``failed`` (if
    any). Infinite numbers (PSNR of equal images) and NaN become None, because JSON has neither, and
    ``protocol["not a number"]`` says which and why.
    """
    protocol = {**summary.protocol, "significance": STATED}
    withheld = {
        f"{line.row} {metric}": _why(value)
        for line in summary.of_set(None)
        for metric, value in line.values.items()
        if value is not None and not math.isfinite(value)
    }
    if withheld:
        protocol["not a number"] = withheld
    made: dict[str, object] = {**_part(summary, None), "protocol": protocol}
    if len(summary.sets) > 1:
        made["sets"] = {name: _part(summary, name) for name in summary.sets}
    failures = [
        {"name": o.row, "set": o.photo_set, "image": o.image, "error": o.error}
        for o in summary.outcomes
        if o.error is not None
    ]
    return {**made, "failed": failures} if failures else made


def markdown(summary: Summary) -> str:
    """The means as Markdown tables, one per set, and the differences from the first row."""
    blocks = []
    several = len(summary.sets) > 1
    for photo_set in [None, *summary.sets] if several else [None]:
        if several:
            blocks.append(f"### {photo_set or 'all photos'}")
        blocks.append(table(summary, photo_set))
        # With many rows (all checkpoints of a run) the differences are only in the other files.
        against = differences(summary, photo_set) if len(summary.rows) <= ALL_PAIRS else ""
        blocks += [against] if against else []
    return "\n\n".join(blocks)


def table(summary: Summary, photo_set: str | None) -> str:
    """Format means as a Markdown table; without a value "n/a", or what the metric needs."""
    lines = summary.of_set(photo_set)
    failures = any(line.failed for line in lines)
    header = ["upscaler", *(heading(summary, metric) for metric in summary.metrics), "images"]
    cells = [header + (["failed"] if failures else [])]
    for line in lines:
        values = [number(summary, metric, line.values.get(metric)) for metric in summary.metrics]
        counts = [str(line.images)] + ([str(line.failed)] if failures else [])
        cells.append([line.row.replace("|", "\\|"), *values, *counts])
    return aligned(cells)


def differences(summary: Summary, photo_set: str | None) -> str:
    """Format each row against the first: mean difference, interval, p; "" for a single row."""
    rows = summary.rows
    if not rows:  # there was no photo
        return ""
    found = [c for c in summary.compared if c.second == rows[0] and c.photo_set == photo_set]
    cells = [[f"against {rows[0]}", "metric", "difference", "95% interval", "p"]]
    cells += [[c.first, heading(summary, c.metric), *said(summary, c)] for c in found]
    return aligned(cells) if found else ""


def said(summary: Summary, compared: Compared) -> tuple[str, str, str]:
    """Format a difference: (mean difference, its interval, p)."""
    gap, places = compared.difference, decimals(summary, compared.metric)
    between = "n/a" if gap.low is None else f"{gap.low:+.{places}f} to {gap.high:+.{places}f}"
    return f"{gap.mean:+.{places}f}", between, f"{gap.p:.3f}" if gap.p >= 0.001 else "< 0.001"


def per_image(summary: Summary) -> list[dict[str, object]]:
    """One line for every photo and row; ``set`` and ``error`` only where needed."""
    failures = any(outcome.error for outcome in summary.outcomes)
    lines = []
    for outcome in summary.outcomes:
        line: dict[str, object] = {"name": outcome.row}
        if len(summary.sets) > 1:
            line["set"] = outcome.photo_set
        line |= {"image": outcome.image, **outcome.values}
        lines.append({**line, "error": outcome.error} if failures else line)
    return lines


def aligned(cells: Sequence[Sequence[str]]) -> str:
    """Format an aligned Markdown table: the first line is the head, the first column is text."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    padded = [
        [line[0].ljust(widths[0])]
        + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        for line in [cells[0], rule, *cells[1:]]
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def heading(summary: Summary, metric: str) -> str:
    """A metric's title as a column heading."""
    return summary.parts[metric].title if metric in summary.parts else metric.upper()


def decimals(summary: Summary, metric: str) -> int:
    """The number of decimals to print of a metric."""
    return summary.parts[metric].decimals if metric in summary.parts else 4


def number(summary: Summary, metric: str, value: float | None) -> str:
    """Format a value with its metric's decimals; for None say what the metric needs."""
    if value is not None:
        return f"{value:.{decimals(summary, metric)}f}"
    part = summary.parts.get(metric)
    return f"needs {part.needs.what}" if part is not None and part.needs is not None else "n/a"


def _part(summary: Summary, photo_set: str | None) -> dict[str, object]:
    lines = summary.of_set(photo_set)
    return {
        "rows": [
            {"name": line.row, **_finite(line.values), "images": line.images} for line in lines
        ],
        "intervals": {line.row: {m: line.intervals[m] for m in line.intervals} for line in lines},
        "comparisons": [
            {"a": c.first, "b": c.second, "metric": c.metric, **asdict(c.difference)}
            for c in summary.compared
            if c.photo_set == photo_set
        ],
    }


def flat(summary: Summary) -> list[dict[str, object]]:
    """All lines of all sets, with the bounds of the intervals, for a spreadsheet."""
    lines = []
    for line in summary.lines:
        flat: dict[str, object] = {"name": line.row, "set": line.photo_set or "all"}
        for metric in summary.metrics:
            ends = line.intervals.get(metric) or ("", "")
            flat |= {metric: line.values.get(metric)}
            flat |= {f"{metric}_low": ends[0], f"{metric}_high": ends[1]}
        lines.append({**flat, "images": line.images, "failed": line.failed})
    return lines


def _csv(lines: Sequence[Mapping[str, object]]) -> str:
    file = io.StringIO()
    columns = list(dict.fromkeys(key for line in lines for key in line))
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def _finite(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {m: v if v is None or math.isfinite(v) else None for m, v in values.items()}


def _why(value: float) -> str:
    return "infinite: an image equals its truth" if value == math.inf else str(value)
