"""Choose a checkpoint without ground truth: the Pareto front of several metrics (the panel)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from wildsr.atomic import write_text
from wildsr.data.validation import ValidationPhotos
from wildsr.error import UserError
from wildsr.evaluation.summary import Line, Summary
from wildsr.metric.kind import HIGHER
from wildsr.photo.image import read_image
from wildsr.photo.view import view
from wildsr.pixels import floats_of
from wildsr.report import results
from wildsr.report.page.case import data_uri
from wildsr.report.page.curve import curve
from wildsr.report.page.page import Choice
from wildsr.report.sheet import contact_sheet

PHOTOS, COLUMNS = 4, 8  # of the contact sheet


@dataclass(frozen=True)
class Ranking:
    """Checkpoints under a panel of metrics, with their Pareto front.

    Args:
        iterations: the iteration of each checkpoint's row.
        metrics: the metrics that are compared: every checkpoint has a value.
        missing: metrics of the panel that could not be computed, and why.
        front: the rows that are not dominated: no other is at least as good in every metric and
            better in one.
    """

    iterations: Mapping[str, int]
    metrics: Sequence[str]
    missing: Mapping[str, str]
    front: Sequence[str]

    @property
    def said(self) -> str:
        """The outcome in one sentence."""
        if not self.metrics:
            return (
                "No metric of the panel could be computed, so nothing is said of the checkpoints."
            )
        return (
            f"{len(self.front)} of {len(self.iterations)} checkpoints are on the front: no other "
            f"is at least as good in {', '.join(self.metrics)} and better in one of them. Which of "
            "these to take is for eyes to say; no score adds them up."
        )


def rank(summary: Summary, iterations: Mapping[str, int], panel: Sequence[str]) -> Ranking:
    """Find the Pareto front of the checkpoints.

    Args:
        summary: the table; its means over all photos are compared.
        iterations: the rows that are checkpoints.
        panel: names of metrics.

    Raises:
        UserError: a metric for which neither higher nor lower is better.
    """
    values = {line.row: line.values for line in _measured(summary, iterations)}
    metrics, missing = [], {}
    for metric in panel:
        part = summary.parts[metric]
        if not part.better:
            raise UserError(
                f"`panel` must hold metrics that say which side is better, but got {metric!r}."
            )
        if all(row.get(metric) is not None for row in values.values()):
            metrics.append(metric)
        else:
            missing[metric] = str(part.needs or "not defined on these photos")
    costs = {
        name: [
            float(row[metric] or 0) * (-1 if summary.parts[metric].better == HIGHER else 1)
            for metric in metrics
        ]
        for name, row in values.items()
    }
    best = undominated(list(costs.values())) if metrics else [False] * len(costs)
    front = [name for name, kept in zip(costs, best, strict=True) if kept]
    return Ranking(iterations, metrics, missing, front)


def undominated(costs: Sequence[Sequence[float]]) -> list[bool]:
    """Find the points on the Pareto front, where smaller is better in every coordinate.

    A point is dominated by another that is nowhere larger and somewhere smaller; equal ones stay.

    Args:
        costs: (points, coordinates).
    """
    table = torch.tensor(costs, dtype=torch.float64)
    nowhere_larger = (table[:, None] <= table[None]).all(dim=2)  # (by, beaten)
    somewhere_smaller = (table[:, None] < table[None]).any(dim=2)
    beaten: list[bool] = (nowhere_larger & somewhere_smaller).any(dim=0).tolist()
    return [not lost for lost in beaten]


def markdown(summary: Summary, ranking: Ranking) -> str:
    """All checkpoints with their metrics as Markdown; those on the front are marked."""
    cells = [["checkpoint", *(results.heading(summary, m) for m in ranking.metrics), "front"]]
    for line in _measured(summary, ranking.iterations):
        values = [results.number(summary, m, line.values[m]) for m in ranking.metrics]
        cells.append([line.row, *values, "*" if line.row in ranking.front else ""])
    notes = [f"- not compared: {metric}: {why}" for metric, why in ranking.missing.items()]
    return "\n".join([results.aligned(cells), "", ranking.said, *notes])


def write(
    folder: Path, summary: Summary, ranking: Ranking, sets: Mapping[str, ValidationPhotos]
) -> Choice:
    """Write ``checkpoints.json``, ``checkpoints.md`` and ``front.png``.

    Args:
        folder: of the files.
        summary: the table.
        ranking: of :func:`rank`.
        sets: the photos by set, for the contact sheet.

    Returns:
        The section for the HTML page.
    """
    lines = _measured(summary, ranking.iterations)
    plain = {
        "panel": list(ranking.metrics),
        "missing": dict(ranking.missing),
        "front": [{"name": row, "iteration": ranking.iterations[row]} for row in ranking.front],
        "checkpoints": [
            {"name": line.row, "iteration": ranking.iterations[line.row]}
            | {metric: line.values[metric] for metric in ranking.metrics}
            for line in lines
        ],
    }
    write_text(folder / "checkpoints.json", json.dumps(plain, indent=2) + "\n")
    write_text(folder / "checkpoints.md", markdown(summary, ranking) + "\n")
    sheet = _sheet(folder / "front.png", summary, ranking, sets)
    headings = [results.heading(summary, metric) for metric in ranking.metrics]
    plots = [
        curve(title, sorted((ranking.iterations[r.row], float(r.values[m] or 0)) for r in lines))
        for title, m in zip(headings, ranking.metrics, strict=True)
        if len(lines) > 1
    ]
    table = [
        {
            "row": line.row,
            "cells": [results.number(summary, m, line.values[m]) for m in ranking.metrics],
            "front": line.row in ranking.front,
        }
        for line in lines
    ]
    notes = "".join(f" Not compared: {m} ({why})" for m, why in ranking.missing.items())
    return Choice(f"{ranking.said}{notes}", headings, table, plots, sheet)


def _measured(summary: Summary, iterations: Mapping[str, int]) -> list[Line]:
    """The lines of the checkpoints that restored something."""
    return [line for line in summary.of_set(None) if line.row in iterations and line.images]


def _sheet(
    path: Path, summary: Summary, ranking: Ranking, sets: Mapping[str, ValidationPhotos]
) -> str:
    """The front, side by side on some photos; as a data URI, "" where there is nothing to show."""
    step = max(1, -(-len(ranking.front) // COLUMNS))
    columns = ranking.front[::step]
    pictures = {(o.row, o.photo_set, o.image): o.picture for o in summary.outcomes if o.picture}
    rows: list[dict[str, Tensor | None]] = []
    for name, photos in sets.items():
        for index, image in enumerate(photos.names):
            paths = {row: pictures.get((row, name, image)) for row in columns}
            if len(rows) < PHOTOS and any(paths.values()):
                shown = {row: _float(p) if p is not None else None for row, p in paths.items()}
                rows.append({"LR": view(photos[index]["lr"], photos.sensor.bands), **shown})
    if not rows:
        return ""
    contact_sheet(rows, path, f"{len(ranking.front)} checkpoints that no other one beats")
    return data_uri(torch.from_numpy(read_image(path)).permute(2, 0, 1), 85)


def _float(path: Path) -> Tensor:
    return floats_of(read_image(path))[0]
