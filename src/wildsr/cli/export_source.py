"""What is exported: the upscaler of a run, or of a file of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import nn

from wildsr.config.trust import trusts
from wildsr.export.model_card import first_sentence
from wildsr.photo.sensor import RGB, Sensor
from wildsr.run.finish import default_strength
from wildsr.run.load import has_finish, open_upscaler


@dataclass(frozen=True)
class Source:
    """The upscaler to export, from a run or a file.

    Attributes:
        upscaler: (B, C, H, W) to (B, C, sH, sW), in evaluation mode.
        scale: s.
        name: of the run or the file, without a scale.
        folder: where exports are written.
        nodes: the configuration of each network, by name; empty for published weights.
        method: its name and the first sentence of its docstring; None if unknown.
        run: the run's folder, if it is one.
        file: the file it came from, if it is one.
        sensor: the kind of photos that it was trained on.
        strength: of the finish; None where there is none, or it is not known.
        usual: whether that is the strength that is taken where none is asked for.
    """

    upscaler: nn.Module
    scale: int
    name: str
    folder: Path
    nodes: Mapping[str, Mapping[str, Any]]
    method: tuple[str, str] | None = None
    run: Path | None = None
    file: Path | None = None
    sensor: Sensor = RGB
    strength: float | None = None
    usual: bool = True

    @property
    def stated(self) -> str:
        """The strength, as it follows the precision of a file on the card."""
        return "" if self.strength is None else f", strength {self.strength:g}"


def source_of(config: DictConfig) -> Source:
    """Open what ``run`` or ``weights`` names, with the ``name`` and ``output`` that were asked for.

    A strength that is not the usual one becomes a part of the name, so that no file of another
    strength is replaced.
    """
    source = _of_run(config) if config.run is not None else _of_weights(config)
    if config.output is not None:
        source = replace(source, folder=Path(str(config.output)).expanduser())
    if config.name is not None:
        return replace(source, name=str(config.name))
    if not source.usual:
        return replace(source, name=f"{source.name}_strength{source.strength:g}")
    return source


def _of_run(config: DictConfig) -> Source:
    folder = Path(str(config.run)).expanduser()
    found = open_upscaler(run=folder, trust=trusts(config), strength=config.strength)
    assert found.method is not None
    method = (found.method.__name__, first_sentence(found.method.__doc__))
    where = folder / "export"
    usual = default_strength(folder) if has_finish(folder, trusts(config)) else None
    strength = usual if config.strength is None else float(config.strength)
    return Source(
        found.network,
        found.scale,
        found.name,
        where,
        found.nodes,
        method,
        run=folder,
        sensor=found.sensor,
        strength=strength,
        usual=strength == usual,
    )


def _of_weights(config: DictConfig) -> Source:
    path = Path(str(config.weights)).expanduser()
    strength = None if config.strength is None else float(config.strength)
    found = open_upscaler(weights=path, strength=strength)
    about = (found.network, found.scale, found.name, path.parent, found.nodes)
    source = Source(*about, file=path, sensor=found.sensor)
    return source if strength is None else replace(source, strength=strength, usual=False)
