"""Write ``report/index.html``: an evaluation in one self-contained file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wildsr.atomic import write_text
from wildsr.data.validation import ValidationPhotos
from wildsr.evaluation.significance import STATED
from wildsr.evaluation.summary import Line, Summary
from wildsr.metric.kind import HIGHER, LOWER
from wildsr.report import results
from wildsr.report.page.case import Case, Gallery, file_uri, gallery
from wildsr.report.page.curve import Curve, curves
from wildsr.report.page.environment import environment
from wildsr.report.template import filled
from wildsr.run.finish import FILE

PNG = b"\x89PNG\r\n\x1a\n"  # the first bytes of such a file
LARGEST = 8 * 10**6  # bytes of a figure
ARROWS = {HIGHER: " ↑", LOWER: " ↓", "": ""}


@dataclass(frozen=True)
class Choice:
    """The page's section on checkpoints.

    Args:
        said: describes the Pareto front in words.
        columns: headings of the panel's metrics.
        lines: {"row", "cells", "front"} for each checkpoint.
        curves: each metric of the panel by iteration.
        sheet: the contact sheet as a data URI, or "".
    """

    said: str
    columns: Sequence[str]
    lines: Sequence[Mapping[str, Any]]
    curves: Sequence[Curve]
    sheet: str


@dataclass(frozen=True)
class Page:
    """The contents of the page besides the table and the pictures.

    Args:
        title: the heading.
        scale: HR size / LR size.
        budget: bytes of all pictures together.
        runs: run folders by name, for their curves, report cards and configurations.
        texts: further texts by their heading: the command, the configuration.
        choice: the section on checkpoints.
    """

    title: str
    scale: int
    budget: int
    runs: Mapping[str, Path] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    choice: Choice | None = None


def write_page(
    folder: Path, summary: Summary, sets: Mapping[str, ValidationPhotos], page: Page
) -> Path:
    """Write ``report/index.html`` into a folder.

    Returns:
        Its path.
    """
    shown = gallery(summary, sets, page.scale, page.budget)
    text = filled(
        Path(__file__).with_name("page.html"),
        title=page.title,
        subtitle=_subtitle(summary, page),
        sets=[("", "all sets"), *((name, name) for name in summary.sets)],
        columns=[_column(summary, metric) for metric in summary.metrics],
        lines=_lines(summary),
        missing=_missing(summary),
        failures=[
            f"{o.row}, {o.photo_set}/{o.image}: {o.error}" for o in summary.outcomes if o.error
        ],
        comparisons=bool(summary.compared),
        significance=f"{STATED[0].upper()}{STATED[1:]}.",
        cases=shown.cases,
        ordering=shown.metric and f"gain in {results.heading(summary, shown.metric)}",
        storage=_storage(shown, page.budget),
        choice=page.choice,
        # A card just made replaces the run's own: it is of the same kind of photos, and newer.
        cards=_card(folder) or [card for run in page.runs.values() for card in _card(run)],
        finishes=[made for name, run in page.runs.items() for made in _finish(name, run)],
        runs=[{"name": n, "curves": curves(p / "metrics.csv")} for n, p in page.runs.items()],
        environment=environment(),
        texts={**page.texts, "protocol": json.dumps(summary.protocol, indent=1, default=str)},
        data=_data(summary, shown),
    )
    path = folder / "report" / "index.html"
    write_text(path, text)
    return path


def _subtitle(summary: Summary, page: Page) -> str:
    photos = len({(o.photo_set, o.image) for o in summary.outcomes})
    sets = f" in {len(summary.sets)} sets" if len(summary.sets) > 1 else ""
    return (
        f"{len(summary.rows)} upscalers, {photos} photos{sets}, scale {page.scale}, channel "
        f"{summary.protocol.get('channel')}, border {summary.protocol.get('border')}"
    )


def _column(summary: Summary, metric: str) -> dict[str, str]:
    part = summary.parts.get(metric)
    better = part.better if part is not None else ""
    said = f"{better} is better" if better else "neither side is better"
    unit = f", in {part.unit}" if part is not None and part.unit else ""
    return {
        "title": results.heading(summary, metric),
        "better": better,
        "arrow": ARROWS[better],
        "hint": f"{metric}{unit}: {said}",
    }


def _number(value: float) -> float | str:
    """As JavaScript reads it."""
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def _lines(summary: Summary) -> list[dict[str, Any]]:
    """The lines of the table as texts; the best of each set and column is marked."""
    made = []
    for line in summary.lines:
        cells = []
        for metric in summary.metrics:
            value, ends = line.values.get(metric), line.intervals.get(metric)
            between = ""
            if ends is not None and ends[0] != ends[1]:
                low, high = (results.number(summary, metric, end) for end in ends)
                between = f"{low} to {high}"
            part = summary.parts.get(metric)
            if value is None and part is not None and part.needs is not None:
                between = f"needs {part.needs.what}"
            cells.append(
                {
                    "text": "n/a" if value is None else results.number(summary, metric, value),
                    "value": "" if value is None or math.isnan(value) else _number(value),
                    "between": between,
                    "best": _is_best(summary, line, metric),
                }
            )
        made.append(
            {
                "row": line.row,
                "set": line.photo_set or "",
                "cells": cells,
                "images": line.images,
                "failed": line.failed,
            }
        )
    return made


def _is_best(summary: Summary, line: Line, metric: str) -> bool:
    part = summary.parts.get(metric)
    others = [other.values.get(metric) for other in summary.of_set(line.photo_set)]
    known = [value for value in others if value is not None]
    if part is None or not part.better or len(known) < 2:
        return False
    return line.values.get(metric) == (max if part.better == HIGHER else min)(known)


def _missing(summary: Summary) -> list[str]:
    parts = {m: summary.parts[m] for m in summary.metrics if m in summary.parts}
    return [f"{part.title}: {part.needs}" for part in parts.values() if part.needs is not None]


def _storage(shown: Gallery, budget: int) -> str:
    said = f"The pictures are stored {shown.coding}."
    if shown.coding != "lossless":
        said = (
            f"The pictures are stored as {shown.coding}; the files beside this page are lossless."
        )
    if shown.left_out:
        said += (
            f" {shown.left_out} more photos found no room: the pictures may weigh "
            f"{budget / 1e6:.0f} MB (page_mb)."
        )
    return said


def _card(folder: Path) -> list[dict[str, Any]]:
    """The report card that a folder holds, if it does."""
    try:
        card = json.loads((folder / "report_card.json").read_text(encoding="utf-8"))
        entries = [{k: str(e[k]) for k in ("title", "state", "verdict")} for e in card["entries"]]
        made = {"run": folder.name, "headline": str(card["headline"]), "entries": entries}
    except (OSError, ValueError, KeyError, TypeError):
        return []
    made["figure"] = _drawn(folder / "report_card.png")
    return [made]


def _drawn(path: Path) -> str:
    """A run's figure as a data URI; "" where there is none.

    Run folders may come from strangers: what leads out of the folder, is no PNG or is far larger
    than any figure does not get into a page that is handed on.
    """
    try:
        if path.is_symlink() or path.stat().st_size > LARGEST:
            return ""
        data = path.read_bytes()
    except OSError:
        return ""
    return file_uri(data) if data.startswith(PNG) else ""


def _finish(name: str, folder: Path) -> list[dict[str, str]]:
    """The strengths of a run's finish, drawn, if it has one."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        said = f"default strength {float(found['strength']):g}: {found['rule']}"
        return [{"run": name, "said": said, "figure": _drawn(folder / "strength.png")}]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _data(summary: Summary, shown: Gallery) -> dict[str, Any]:
    """What the page's script works on."""
    single = [m for m in summary.metrics if any(m in o.values for o in summary.outcomes)]
    return {
        "rows": summary.rows,
        "sets": list(summary.sets),
        "columns": [results.heading(summary, metric) for metric in single] if shown.cases else [],
        "comparisons": [
            {
                "a": c.first,
                "b": c.second,
                "set": c.photo_set or "",
                "title": results.heading(summary, c.metric),
                "better": summary.parts[c.metric].better if c.metric in summary.parts else "",
                "decimals": results.decimals(summary, c.metric),
                "mean": c.difference.mean,
                "low": c.difference.low,
                "high": c.difference.high,
                "p": c.difference.p,
                "images": c.difference.images,
            }
            for c in summary.compared
        ],
        "cases": [_case(summary, single, case) for case in shown.cases],
    }


def _case(summary: Summary, metrics: Sequence[str], case: Case) -> dict[str, Any]:
    return {
        "set": case.photo_set,
        "image": case.image,
        "size": case.size,
        "note": case.note,
        "gain": case.gain,
        "caption": "" if case.gain is None else f"{case.gain:+.3g}",
        "versions": case.versions,
        "thumbnail": case.thumbnail,
        "values": {
            row: [
                "n/a" if values.get(m) is None else results.number(summary, m, values.get(m))
                for m in metrics
            ]
            for row, values in case.values.items()
        },
        "errors": case.errors,
    }
