"""Write ``sweep.html``: the trials of a sweep, in one self-contained file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wildsr.report.page.curve import HEIGHT, WIDTH, Curve, curve
from wildsr.report.template import filled

FINISHED = "complete"


@dataclass(frozen=True)
class Row:
    """One trial.

    Attributes:
        name: of its folder.
        state: complete, pruned, failed, running or waiting.
        value: of the objective, the latest one.
        params: the settings that were drawn for it.
        seconds: its duration.
        error: why it failed.
        values: intermediate values (iteration, objective).
    """

    name: str
    state: str
    value: float | None
    params: Mapping[str, bool | int | float | str | None]
    seconds: float | None
    error: str
    values: Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Cloud:
    """Scatter plot of the objective against one setting, as SVG points.

    Attributes:
        name: key of the setting.
        points: (x, y, state) in a box of 240 x 80.
        ticks: labels below the plot.
        importance: fraction of the objective's variance that the setting explains, as text; empty
            if unknown.
    """

    name: str
    points: Sequence[tuple[str, str, str]]
    ticks: Sequence[str]
    importance: str


def page(
    name: str,
    objective: str,
    higher: bool,
    rows: Sequence[Row],
    importances: Mapping[str, float],
) -> str:
    """Render the page.

    Args:
        name: of the sweep.
        objective: name of the metric by which trials are compared.
        higher: whether more of it is better.
        rows: the trials, the best first.
        importances: key of a setting -> fraction of the objective's variance that it explains.
    """
    keys = list(dict.fromkeys(key for row in rows for key in row.params))
    counts = {
        state: sum(row.state == state for row in rows) for state in dict.fromkeys(_states(rows))
    }
    here = Path(__file__).parent
    return filled(
        here / "sweep.html",
        here.parent / "page",
        title=f"Sweep {name}",
        objective=objective,
        better="higher is better" if higher else "lower is better",
        counts=", ".join(f"{count} {state}" for state, count in counts.items()),
        keys=keys,
        rows=[_shown(row, keys) for row in rows],
        best=rows[0] if rows and rows[0].state == FINISHED else None,
        curves=_curves(rows, higher),
        clouds=[_cloud(key, rows, importances) for key in keys],
    )


def _states(rows: Sequence[Row]) -> list[str]:
    return sorted(row.state for row in rows)


def _shown(row: Row, keys: Sequence[str]) -> dict[str, object]:
    return {
        "name": row.name,
        "state": row.state,
        "value": "" if row.value is None else f"{row.value:.5g}",
        "params": [_text(row.params[key]) if key in row.params else "" for key in keys],
        "seconds": "" if row.seconds is None else f"{row.seconds:.0f}",
        "error": row.error,
    }


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _curves(rows: Sequence[Row], higher: bool) -> list[Curve]:
    """The best so far by trial, and the objective of the best trials by iteration."""
    done = sorted((r for r in rows if r.state == FINISHED and r.value is not None), key=_number)
    found: list[Curve] = []
    if len(done) > 1:
        best, so_far = [], -math.inf if higher else math.inf
        for place, row in enumerate(done):
            value = row.value or 0.0
            so_far = max(so_far, value) if higher else min(so_far, value)
            best.append((place, so_far))
        found.append(curve("best so far, by trial", best))
    for row in rows[:3]:
        if len(row.values) > 1:
            found.append(curve(f"trial {row.name}, by iteration", list(row.values)))
    return found


def _number(row: Row) -> str:
    return row.name


def _cloud(key: str, rows: Sequence[Row], importances: Mapping[str, float]) -> Cloud:
    known = [row for row in rows if key in row.params and row.value is not None]
    values = [row.params[key] for row in known]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values) and numbers:
        low, high = min(numbers), max(numbers)
        log = low > 0 and high / low > 30
        along = [math.log(v) if log else float(v) for v in numbers]
        ticks = [_text(low), "logarithmic" if log else "", _text(high)]
    else:
        names = sorted({str(value) for value in values})
        along = [float(names.index(str(value))) for value in values]
        ticks = names
    up = [row.value or 0.0 for row in known]
    across = _scaled(along, WIDTH, flip=False)
    heights = _scaled(up, HEIGHT, flip=True)
    points = [
        (f"{x:.1f}", f"{y:.1f}", row.state)
        for x, y, row in zip(across, heights, known, strict=True)
    ]
    share = importances.get(key)
    return Cloud(key, points, ticks, "" if share is None else f"{share:.0%}")


def _scaled(values: Sequence[float], length: float, flip: bool) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=0.0)
    extent = (high - low) or 1.0
    shares = [(v - low) / extent if high > low else 0.5 for v in values]
    return [(1 - share if flip else share) * length for share in shares]
