"""Export a run's degradation: as ``camera.json``, or as another trainer's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from wildsr.atomic import check_output, write_text
from wildsr.config.check import TRAINERS
from wildsr.config.trust import trusts
from wildsr.data.demo import HR, photo
from wildsr.export.trainers import SUFFIX, distance, handover, written
from wildsr.pixels import floats_of
from wildsr.run.profile import FILE, checked_profile, write_profile
from wildsr.run.run_profile import profile_of_run

CROP, CROPS = 48, 20  # side in LR pixels and number of crops on which degradations are compared


def export_camera(config: DictConfig, console: Console) -> int:
    """Write the degradation of a run, as ``camera.json`` or for another trainer.

    Returns:
        The exit code.

    Raises:
        UserError: the run has no measured degradation, or the output cannot be written.
    """
    run = Path(str(config.run)).expanduser()
    document = profile_of_run(run, trusts(config))
    folder = run / "export"
    if config.output is not None:
        folder = Path(str(config.output)).expanduser()
    if config.format in TRAINERS:
        return _settings(config, folder, document, console)
    name = FILE if config.name is None else f"{config.name}.json"
    path = write_profile(folder, document, name)
    console.print(f"{path}  (degradation=profile degradation.file=...)", markup=False)
    console.print(str(document["sentence"]), markup=False)
    return 0


def _settings(config: DictConfig, folder: Path, document: dict[str, Any], console: Console) -> int:
    """Write the settings of another trainer that come nearest to a camera; the exit code."""
    camera, trainer = checked_profile(document, str(config.run)), str(config.format)
    side = CROP * camera.scale
    crops = [crop for name in HR for crop in _squares(photo(name), side)]
    handed = handover(camera, crops[:: max(len(crops) // CROPS, 1)][:CROPS], config.seed)
    name = trainer if config.name is None else str(config.name)
    path = folder / f"{name}{SUFFIX[trainer]}"
    check_output(folder)
    write_text(path, written(handed, trainer, camera.scale))
    apart = sorted(handed.apart.items(), key=lambda one: -abs(one[1]))[:3]
    said = ", ".join(f"{figure} {value:+.1f}" for figure, value in apart)
    console.print(f"{path}  (keys of {trainer})", markup=False)
    console.print(
        f"beside the camera's own pictures: {distance(handed.apart):.1f} dB apart over "
        f"{len(handed.apart)} statistics; most: {said}",
        markup=False,
    )
    for sentence in handed.lost:
        console.print(f"  {sentence}", markup=False)
    return 0


def _squares(pixels: np.ndarray[Any, Any], side: int) -> list[Tensor]:
    """Cut a photo (H, W, 3) into squares (1, 3, side, side) in [0, 1] that do not overlap."""
    whole = floats_of(pixels)
    rows, columns = (range(0, length - side + 1, side) for length in pixels.shape[:2])
    return [whole[..., y : y + side, x : x + side] for y in rows for x in columns]
