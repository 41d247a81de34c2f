"""Upscalers on photos, with and without ground truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from wildsr.data.module import ValidationPhotos
from wildsr.error import first_line
from wildsr.inference.tile import interpolate, receptive_radius, upscale_tiled
from wildsr.metric.fidelity import round8
from wildsr.metric.table import Panel, Row

Upscale = Callable[[Tensor], Tensor]  # (1, 3, H, W) in [0, 1] to (1, 3, sH, sW)
Restore = Callable[[Mapping[str, Any]], Tensor]  # a photo to its SR, uint8 (3, sH, sW)
BAND = 256  # rows that are converted at a time, so that a copy of a large image stays small


@dataclass(frozen=True)
class Outcome:
    """What became of one photo under one upscaler.

    Args:
        row: the upscaler's name.
        photo_set: the name of the photo's set.
        image: the photo's name.
        values: a number a metric; None where it cannot be computed.
        error: why there is nothing; None for a success.
        picture: where the SR is on disk, if it was kept.
    """

    row: str
    photo_set: str
    image: str
    values: Mapping[str, float | None] = field(default_factory=dict)
    error: str | None = None
    picture: Path | None = None


def interpolation(kind: str, scale: int) -> Upscale:
    """Plain interpolation as an upscaler of (1, 3, H, W)."""
    return lambda lr: interpolate(lr, scale, kind)


def tiled(network: nn.Module, scale: int, tile: int) -> Upscale:
    """A network as an upscaler of whole images, (1, 3, H, W), in bounded memory."""
    network = network.to(memory_format=torch.channels_last)
    reach: list[int | None] = []  # measured once, for the first image of several tiles

    def upscale(lr: Tensor) -> Tensor:
        if not reach and max(lr.shape[2:]) > tile:
            radius = receptive_radius(network, scale)
            reach.append(16 if radius is None else radius)
        return upscale_tiled(network, lr, scale, tile, reach[0] if reach else None)

    return upscale


def of_lr(upscale: Upscale) -> Restore:
    """An upscaler as a function of a photo."""
    return lambda photo: levels(upscale(floats(photo["lr"])))


def evaluate(
    upscalers: Mapping[str, Callable[[], Restore]],
    sets: Mapping[str, ValidationPhotos],
    panel: Panel,
    folder: Path | None = None,
    advance: Callable[[str], None] = lambda note: None,
) -> list[Outcome]:
    """Restore every photo with every upscaler and measure what has a truth.

    One upscaler after the other, so that only one is in memory. What fails (a file that cannot be
    read, a truth of another size, memory that does not suffice) costs that photo's outcome only.

    Args:
        upscalers: name -> what makes its function; called once, when its turn comes.
        sets: name -> photos.
        panel: the metrics.
        folder: where results go as PNG, one folder an upscaler and, if there are several, a set;
            None keeps no pictures.
        advance: called after each picture, for a progress bar.
    """
    outcomes = []
    for row, make in upscalers.items():
        try:
            restore = make()
        except Exception as error:
            restore = _failing(error)
        for name, photos in sets.items():
            inside = None if folder is None else folder / row.replace("/", "_")
            if inside is not None and len(sets) > 1:
                inside = inside / name.replace("/", "_")
            for index in range(len(photos)):
                outcomes.append(_outcome(row, restore, name, photos, index, panel, inside))
                advance(f"{row}: {outcomes[-1].image}")
    return outcomes


def _failing(error: Exception) -> Restore:
    def restore(photo: Mapping[str, Any]) -> Tensor:
        raise error

    return restore


def _outcome(
    row: str,
    restore: Restore,
    name: str,
    photos: ValidationPhotos,
    index: int,
    panel: Panel,
    folder: Path | None,
) -> Outcome:
    image = photos.names[index]
    try:
        photo = {**photos[index], "set": name}
        sr = restore(photo)
        values: Mapping[str, float | None] = dict.fromkeys(panel.metrics)
        if "hr" in photo:
            values = panel.measure(floats(sr), floats(photo["hr"]))
        path = None
        if folder is not None:
            path = folder / f"{image.replace('/', '_')}.png"
            save_png(sr, path)
    except Exception as error:  # whatever it is, the other photos are still to be measured
        return Outcome(row, name, image, error=first_line(error))
    return Outcome(row, name, image, values, picture=path)


def rows(outcomes: list[Outcome]) -> list[Row]:
    """The outcomes that succeeded, one row an upscaler, in their order."""
    names = dict.fromkeys(outcome.row for outcome in outcomes)
    return [
        Row(
            name,
            [{"image": o.image, **o.values} for o in outcomes if o.row == name and not o.error],
        )
        for name in names
    ]


def floats(image: Tensor) -> Tensor:
    """uint8 (3, H, W) -> float (1, 3, H, W) in [0, 1]."""
    return image[None].float().div(255)


def levels(image: Tensor) -> Tensor:
    """(1, 3, H, W) in [0, 1] -> the 8 bits of a file, uint8 (3, H, W).

    Raises:
        UserError: pixels that are not finite numbers, which rounding would turn into a colour.
    """
    made = torch.empty(image.shape[1:], dtype=torch.uint8)
    for top in range(0, image.shape[2], BAND):
        band = image[0, :, top : top + BAND].detach()
        made[:, top : top + BAND] = round8(band).byte()
    return made


def save_png(image: Tensor, path: Path) -> None:
    """Write uint8 (3, H, W)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy())).save(path)


def on_cpu(images: Tensor) -> Tensor:
    """Detached, in float32, in memory."""
    return images.detach().to("cpu", torch.float32)
