"""Write the files that a finished run hands over: weights, model card, configuration, pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from wildsr.atomic import write_text
from wildsr.export.handover import short
from wildsr.export.model_card import (
    File,
    ModelCard,
    architecture,
    first_sentence,
    markdown_card,
    results_of,
)
from wildsr.method.finishing import FINISHED
from wildsr.photo.sensor import RGB, Sensor
from wildsr.run.finish import SUFFIX
from wildsr.training.module import Training

FINISH = (
    " The file whose name ends in `_finished` is the sharp upscaler of a GAN finish, the other one "
    "the faithful upscaler; `strength=` of every verb goes from one to the other."
)


def artifact(
    folder: Path,
    training: Training,
    weights: Sequence[Path],
    pictures: Mapping[str, Path],
    sensor: Sensor = RGB,
) -> dict[str, Path]:
    """Write the model card beside the weights.

    Args:
        folder: the run's.
        training: at its end.
        weights: the weights files.
        pictures: name -> file.
        sensor: the kind of photos that it was trained on.

    Returns:
        All files to hand over, by their path within the run's folder: weights, card, configuration,
        results, pictures.
    """
    averaged = {n: net for n, net in training.ema.networks.items() if n != FINISHED}
    method = training.objective.method
    card = weights[0].with_name(f"{training.scale}x_{short(folder.name)}.md")
    text = markdown_card(
        ModelCard(
            card.stem,
            training.scale,
            " and ".join(architecture(network) for network in averaged.values()),
            sum(p.numel() for network in averaged.values() for p in network.parameters()),
            [_file(path, training.guard is not None) for path in weights],
            (method.__name__, first_sentence(method.__doc__)),
            results_of(folder),
            {name: os.path.relpath(path, card.parent) for name, path in pictures.items()},
            note="`python export.py` writes other formats, and states a licence."
            + (FINISH if training.guard is not None else ""),
            sensor=sensor,
        )
    )
    write_text(card, text)
    described = [folder / name for name in ("config.yaml", "overrides.json", "results.json")]
    files = [*weights, card, *described, *pictures.values()]
    return {path.relative_to(folder).as_posix(): path for path in files if path.exists()}


def _file(weights: Path, finish: bool) -> File:
    """A file of weights, with its strength where there is a finish."""
    strength = f", strength {int(weights.stem.endswith(SUFFIX))}" if finish else ""
    return File(weights.name, f"safetensors, single precision{strength}")
