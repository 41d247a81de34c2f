"""The rows of a table: interpolation, runs, checkpoints, weights, saved results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig
from torch import nn

from wildsr.config.make import sensor_of
from wildsr.config.paths import paths_by_name, unused
from wildsr.config.trust import trusts
from wildsr.error import UserError, unknown
from wildsr.evaluation.evaluate import Restore, delivered, interpolating
from wildsr.evaluation.saved_results import precomputed
from wildsr.inference.prepare import prepare
from wildsr.inference.tile import KINDS
from wildsr.photo.sensor import RGB, Sensor
from wildsr.run.finish import default_strength
from wildsr.run.folder import BASELINE, config_of
from wildsr.run.load import has_finish, open_upscaler, restorer_of
from wildsr.run.snapshot import chosen


@dataclass(frozen=True)
class Row:
    """A row of the table, before it is measured.

    Args:
        open: takes the scale and returns the function that restores photos; what it loads is freed
            after use.
        scale: HR size / LR size; None if it can do any.
        source: the user's argument, for messages and the page.
        iteration: of a checkpoint that is to be ranked among others.
        sensor: the kind of photos that it was trained on; None if it takes any.
    """

    open: Callable[[int], Restore]
    scale: int | None
    source: str
    iteration: int | None = None
    sensor: Sensor | None = None


def table_rows(config: DictConfig, device: torch.device) -> dict[str, Row]:
    """All rows that were asked for, in the order of the table: the reference first.

    Args:
        config: of ``evaluate``.
        device: where networks run.

    Raises:
        UserError: a named run or file does not exist, is damaged or of an unknown kind, or two
            learned from photos of different kinds.
    """
    found: dict[str, Row] = {}

    def add(name: str, candidate: Row) -> None:
        found[unused(name, found)] = candidate

    for kind in kinds(config.upscaler):
        add(kind, Row(_interpolation(kind), None, f"upscaler={kind}"))
    runs = paths_by_name(config.run, "run")
    ready = partial(_network, config=config, device=device)
    for name, folder in runs.items():
        shown = None if len(runs) == 1 else name
        for label, candidate in of_run(folder, shown, config, ready).items():
            add(label, candidate)
    for name, path in paths_by_name(config.weights, "weights").items():
        # Opened now, so that damage is reported before anything is measured.
        opened = open_upscaler(weights=path)
        shown = opened.name if name == path.name else name
        load = partial(_same, opened.network)
        add(shown, Row(ready(load, shown), opened.scale, f"weights={path}", None, opened.sensor))
    saved = paths_by_name(config.results, "results")
    sensor = one_sensor(found) if saved else RGB  # results are what the others are, and measured so
    for name, folder in saved.items():
        add(name, Row(precomputed(folder, config.get("limit"), sensor), None, f"results={folder}"))
    return found


def one_sensor(rows: Mapping[str, Row]) -> Sensor:
    """The kind of photos that all rows were trained on; 8-bit RGB if none has one.

    Raises:
        UserError: two differ.
    """
    found = {row.sensor: name for name, row in rows.items() if row.sensor is not None}
    if len(found) > 1:
        said = "; ".join(f"{name} on {sensor.sentence()}" for sensor, name in found.items())
        raise UserError(f"All upscalers must have learned from photos of one kind, but {said}.")
    return next(iter(found), RGB)


def kinds(upscaler: Any) -> list[str]:
    """The requested kinds of interpolation, as a list.

    Raises:
        UserError: none, or an unknown one.
    """
    several = [upscaler] if isinstance(upscaler, str) else list(upscaler or [])
    for kind in several or [upscaler]:
        if kind not in KINDS:
            raise unknown("`upscaler`", kind, KINDS)
    return several


def of_run(
    folder: Path,
    given: str | None,
    config: DictConfig,
    ready: Callable[[Callable[[], nn.Module], str], Callable[[int], Restore]],
) -> dict[str, Row]:
    """The rows of a run: its bicubic baseline, and its final weights or its checkpoints.

    Args:
        folder: of the run.
        given: the user's name for it; None for the name of its method.
        config: of ``evaluate``.
        ready: takes a function that loads a network, and the row's label; returns ``Row.open``.

    Raises:
        UserError: the folder is not a run, or a checkpoint is missing.
    """
    trust = trusts(config)
    trained = config_of(folder, trust)
    name, scale = given or str(trained.method.name), int(trained.scale)
    made: dict[str, Row] = {}
    source, sensor = f"run={folder}", sensor_of(trained)
    if (folder / BASELINE).is_dir():
        label = BASELINE if given is None else f"{name}/{BASELINE}"
        network = restorer_of(folder / BASELINE, trust=trust)
        made[label] = Row(ready(partial(_same, network), label), scale, source, None, sensor)
    if config.checkpoints == "last":
        for strength in strengths(folder, config.strength, has_finish(folder, trust)):
            label = strength_label(name, strength)
            load = partial(_same, restorer_of(folder, trust=trust, strength=strength))
            made[label] = Row(ready(load, label), scale, source, None, sensor)
        return made
    one = config.strength if not isinstance(config.strength, ListConfig) else config.strength[0]
    for iteration in chosen(folder, config.checkpoints):  # each is opened at its turn
        at = partial(restorer_of, folder, iteration, trust, one)
        label = f"{name} {iteration}"
        made[label] = Row(ready(at, label), scale, source, iteration, sensor)
    return made


def strengths(folder: Path, asked: Any, finished: bool) -> list[float | None]:
    """The strengths of a run's rows; None for a run without a finish.

    If none is asked for: the faithful upscaler (0), the finished one (1), and the run's default.

    Args:
        folder: of the run.
        asked: a number, a list, or None.
        finished: whether the run has a finish.
    """
    if asked is not None:
        return list(asked) if isinstance(asked, ListConfig | list) else [asked]
    return [*dict.fromkeys((0.0, 1.0, default_strength(folder)))] if finished else [None]


def strength_label(name: str, strength: float | None) -> str:
    """The name of a row; the faithful upscaler has the plain name."""
    if not strength:
        return name
    return f"{name} finished" if strength == 1 else f"{name} strength {strength:g}"


def _same(network: nn.Module) -> nn.Module:
    return network


def _interpolation(kind: str) -> Callable[[int], Restore]:
    return lambda scale: interpolating(kind, scale)


def _network(
    load: Callable[[], nn.Module], name: str, config: DictConfig, device: torch.device
) -> Callable[[int], Restore]:
    def open_network(scale: int) -> Restore:
        options = {"precision": config.precision, "tile": config.tile}
        return delivered(prepare(load(), scale, name, device, **options))

    return open_network
