"""What an evaluation measures, opened: rows, photos and metrics, the same in every process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from wildsr.api.elsewhere import mirrored, photos_here, with_photos
from wildsr.archive.mirror import Mirror
from wildsr.archive.shard import shard_of
from wildsr.config.allocator import tune_allocator
from wildsr.config.check import checked
from wildsr.config.compose import configure
from wildsr.config.make import make
from wildsr.config.paths import paths_by_name
from wildsr.config.trust import trusts
from wildsr.data.validation import ValidationPhotos
from wildsr.error import UserError
from wildsr.evaluation.evaluate import measure
from wildsr.evaluation.outcome import Measured
from wildsr.evaluation.photo_sets import photo_sets
from wildsr.evaluation.rows import Row, one_sensor, table_rows
from wildsr.inference.device import choose_device, measuring_device
from wildsr.metric.panel import Panel
from wildsr.photo.image import UnreadableImage
from wildsr.run.folder import config_of
from wildsr.run.load import load_degrader
from wildsr.run.saved import chooses_metrics


@dataclass
class Plan:
    """What is measured, and how: the same in every process of an evaluation.

    Attributes:
        config: with the scale, and the folders of this machine.
        rows, sets, scale, panel, device: of the evaluation.
    """

    config: DictConfig
    rows: Mapping[str, Row]
    sets: Mapping[str, ValidationPhotos]
    scale: int
    panel: Panel
    device: torch.device

    @property
    def ranked(self) -> dict[str, int]:
        """The rows that are checkpoints, and their iterations."""
        return {n: row.iteration for n, row in self.rows.items() if row.iteration is not None}

    @property
    def images(self) -> list[tuple[str, str]]:
        """Set and name of every photo."""
        return [(name, image) for name, found in self.sets.items() for image in found.names]

    def measure(
        self, folder: Path, chosen: Callable[[str], bool], advance: Callable[[str], None]
    ) -> list[Measured]:
        """Measure the photos of these names; pictures go below ``folder``."""
        rows, scale = self.rows, self.scale
        upscalers = {name: lambda row=row: row.open(scale) for name, row in rows.items()}
        pictures = folder / "results"
        return measure(upscalers, self.sets, self.panel, pictures, advance, self.device, chosen)


def plan_of(
    overrides: list[str], config: DictConfig, here: Mapping[str, Any], mirror: Mirror
) -> Plan:
    """Open all rows and find all photos.

    Args:
        overrides: as typed.
        config: of them.
        here: of :func:`wildsr.api.elsewhere.photos_here`.
        mirror: fetches photos that lie elsewhere.

    Raises:
        UserError: whatever of it cannot be.
    """
    config = with_photos(config.copy(), here)
    device = choose_device(config.device)
    tune_allocator()
    rows = table_rows(config, device)
    scales = {c.source: c.scale for c in rows.values() if c.scale is not None}
    sensor = one_sensor(rows)
    runs = paths_by_name(config.run, "run")
    sets, scale = photo_sets(config, scales, runs, sensor, mirror.need if here else None)
    _first_readable(sets)
    ranked = any(row.iteration is not None for row in rows.values())
    more = [f"scale={scale}"]
    if not ranked and not (chooses_metrics(overrides) or any(s.truths for s in sets.values())):
        more.append("metric=no_reference")
    config = with_photos(configure("evaluate", [*overrides, *more]), here)
    panel = _panel(config, ranked, device).take(sensor)
    return Plan(config, rows, sets, scale, panel, device)


def measure_part(overrides: list[str], folder: str, shard: str, part: str) -> list[Measured]:
    """Measure a part of a shard, in a process of a cluster."""
    typed, whole, own = checked("evaluate", overrides), shard_of(shard), shard_of(part)

    def chosen(image: str) -> bool:
        return image in whole and f"{image}/part" in own  # another hash than the shards'

    with mirrored() as mirror:
        plan = plan_of(overrides, typed, photos_here(typed, mirror), mirror)
        return plan.measure(Path(folder), chosen, lambda note: None)


def _panel(config: DictConfig, ranked: bool, device: torch.device) -> Panel:
    """The metrics that were asked for, and those by which checkpoints are ranked."""
    runs = list(paths_by_name(config.run, "run").values())
    if ranked:
        asked = list(config.metric.metrics)
        config.metric.metrics = [*asked, *(m for m in config.panel if m not in asked)]
    degrader = None
    if runs and {"lr_consistency_learned", "lr_discrepancy"} & set(config.metric.metrics):
        with contextlib.suppress(UserError):  # the metric then says what it needs
            trust = trusts(config)
            side = config.tile * config_of(runs[0], trust).scale
            degrader = load_degrader(runs[0], side, trust).to(measuring_device(device))
    panel: Panel = make(config.metric, "metric", Panel, degrader=degrader)
    return panel


def _first_readable(sets: Mapping[str, ValidationPhotos]) -> None:
    """Refuse what cannot be measured at all, before anything is written.

    Raises:
        UserError: no photo of a set can be read, or none fits its truth.
    """
    for photos in sets.values():
        errors: list[UserError] = []
        for index in range(len(photos)):
            try:
                photos[index]
                break
            except UnreadableImage as error:
                errors.append(error)
            except UserError as error:  # a pair that does not fit says more than a damaged file
                errors.insert(0, error)
        else:
            raise errors[0] if errors else UserError("There are no photos to evaluate on.")
