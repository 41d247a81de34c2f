"""Summarise outcomes in a table: means, confidence intervals, differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from wildsr.evaluation.outcome import Outcome
from wildsr.evaluation.sets import OfSets
from wildsr.evaluation.significance import Difference, difference, interval
from wildsr.metric.kind import Metric

EXACT = 100.0  # dB, taken in means for equal images, whose PSNR is infinite
ALL_PAIRS = 8  # with more rows, each is compared with the first only


@dataclass(frozen=True)
class Line:
    """One line of the table: a row on one set, or on all photos of all sets.

    Args:
        row: the upscaler.
        photo_set: the set; None for all photos together.
        values: the mean of each metric; None if a photo has no value.
        intervals: confidence intervals of the means; None if there is none.
        images: number of images in the means.
        failed: number of photos that failed for this row.
    """

    row: str
    photo_set: str | None
    values: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float] | None]
    images: int
    failed: int


@dataclass(frozen=True)
class Compared:
    """The comparison of two rows in one metric on one set (None: all photos)."""

    first: str
    second: str
    photo_set: str | None
    metric: str
    difference: Difference


@dataclass(frozen=True)
class Summary:
    """The table of an evaluation, as it is written and shown.

    Args:
        metrics: the columns, in order.
        sets: the names of the sets.
        lines: all photos first, then, if there are several sets, each set.
        compared: pairs of rows.
        outcomes: of the single photos.
        protocol: how the numbers were computed.
        parts: the metrics: titles, decimals, whether higher or lower is better.
    """

    metrics: Sequence[str]
    sets: Sequence[str]
    lines: Sequence[Line]
    compared: Sequence[Compared]
    outcomes: Sequence[Outcome]
    protocol: Mapping[str, object] = field(default_factory=dict)
    parts: Mapping[str, Metric] = field(default_factory=dict)

    @property
    def rows(self) -> list[str]:
        """Names of the rows, in order."""
        return list(dict.fromkeys(line.row for line in self.lines))

    def of_set(self, photo_set: str | None) -> list[Line]:
        """The lines of one set; None for those of all photos."""
        return [line for line in self.lines if line.photo_set == photo_set]


def summarise(
    outcomes: Sequence[Outcome],
    protocol: Mapping[str, object],
    seed: int | None,
    of_sets: OfSets | None = None,
    parts: Mapping[str, Metric] | None = None,
) -> Summary:
    """Compute means over the photos that *every* row has, so that failures do not favour a row.

    Rows without any success are ignored in that choice. If some images equal their ground truth,
    their infinite PSNR counts as 100 dB in the mean (which the protocol states): otherwise one
    uniformly black page would make the mean infinite.

    Args:
        outcomes: of all rows and sets.
        protocol: is stored with the numbers.
        seed: of the resampling; None computes no intervals and comparisons.
        of_sets: metrics of a set as a whole, by (row, set).
        parts: the metrics of the panel.
    """
    of_sets = of_sets or {}
    rows = list(dict.fromkeys(o.row for o in outcomes))
    sets = list(dict.fromkeys(o.photo_set for o in outcomes))
    single = _keys(o.values for o in outcomes)
    whole = [metric for metric in _keys(of_sets.values()) if metric not in single]
    failed = {(o.row, o.photo_set, o.image) for o in outcomes if o.error is not None}
    working = [r for r in rows if any(o.row == r and o.error is None for o in outcomes)]
    photos = dict.fromkeys((o.photo_set, o.image) for o in outcomes)
    shared = [key for key in photos if not any((row, *key) in failed for row in working)]
    values = {(o.row, o.photo_set, o.image): o.values for o in outcomes}

    lines: list[Line] = []
    compared: list[Compared] = []
    for photo_set in [None, *sets] if len(sets) > 1 else [None]:
        keys = [key for key in shared if photo_set in (None, key[0])]
        columns: dict[tuple[str, str], list[float] | None] = {}
        for row in rows:
            for metric in single:
                found = [values[(row, *key)].get(metric) for key in keys] if row in working else []
                numbers = _bounded([float(value) for value in found if value is not None])
                known = numbers and len(numbers) == len(found)
                columns[row, metric] = numbers if known else None
            own = of_sets.get((row, photo_set), {})
            lines.append(
                Line(
                    row,
                    photo_set,
                    {m: _mean(columns[row, m]) for m in single} | {m: own.get(m) for m in whole},
                    {}
                    if seed is None
                    else {m: interval(columns[row, m] or [], seed) for m in single},
                    len(keys) if row in working else 0,
                    sum(1 for r, s, _ in failed if r == row and photo_set in (None, s)),
                )
            )
        pairs = (
            combinations(rows, 2) if len(rows) <= ALL_PAIRS else ((rows[0], r) for r in rows[1:])
        )
        for one, other in pairs if seed is not None else ():
            for metric in single:
                first, second = columns[other, metric], columns[one, metric]
                made = difference(first, second, int(seed or 0)) if first and second else None
                if made is not None:
                    compared.append(Compared(other, one, photo_set, metric, made))
    if any(value == math.inf for outcome in outcomes for value in outcome.values.values()):
        protocol = {**protocol, "equal pictures": f"count as {EXACT:g} dB; their PSNR is infinite"}
    return Summary([*single, *whole], sets, lines, compared, list(outcomes), protocol, parts or {})


def _bounded(values: list[float]) -> list[float]:
    """Values as they count in a mean: PSNR of equal pictures is infinite, and no other figure."""
    if all(value == math.inf for value in values):
        return values
    return [EXACT if value == math.inf else value for value in values]


def _mean(numbers: Sequence[float] | None) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def _keys(lines: Iterable[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(key for line in lines for key in line))
