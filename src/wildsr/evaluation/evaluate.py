"""Measure upscalers on photos, with and without ground truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wildsr.atomic import file_name
from wildsr.data.validation import ValidationPhotos
from wildsr.error import UserError, first_line
from wildsr.evaluation.outcome import Measured, Outcome
from wildsr.evaluation.sets import OfSets, of_sets
from wildsr.evaluation.tiled_panel import Bounded
from wildsr.inference.device import measuring_device
from wildsr.inference.strips import upscale_image
from wildsr.inference.tile import interpolate
from wildsr.inference.upscaler import Upscaler
from wildsr.inference.windows import UNBOUNDED_OVERLAP, overlap_for
from wildsr.metric.kind import Set
from wildsr.metric.panel import Gathering, Panel
from wildsr.photo.folder import say_once
from wildsr.photo.sensor import RGB, Sensor
from wildsr.photo.view import Window, picture, window_of
from wildsr.pixels import floats, levels, save_png

CPU = torch.device("cpu")
Upscale = Callable[[Tensor], Tensor]  # (1, C, H, W) in [0, 1] to (1, C, sH, sW)
# A photo to its SR (C, sH, sW): uint8, or floats in [0, 1] where the photo is of more bits.
Restore = Callable[[Mapping[str, Any]], Tensor]


def interpolation(kind: str, scale: int, deep: bool = False) -> Upscale:
    """Interpolation as an upscaler of (1, C, H, W); with ``deep`` nothing is rounded to 8 bits."""
    return lambda lr: interpolate(lr, scale, kind, deep)


def interpolating(kind: str, scale: int) -> Restore:
    """Interpolation as a function from a photo to its SR image, in the photo's own bit depth."""

    def restore(photo: Mapping[str, Any]) -> Tensor:
        deep = photo["lr"].dtype != torch.uint8
        return of_lr(interpolation(kind, scale, deep))(photo)

    return restore


def of_lr(upscale: Upscale) -> Restore:
    """Turn an upscaler of LR tensors into a function from a photo to its SR image."""

    def restore(photo: Mapping[str, Any]) -> Tensor:
        sr = upscale(floats(photo["lr"]))
        return levels(sr) if photo["lr"].dtype == torch.uint8 else sr[0].clamp(0, 1).cpu()

    return restore


def delivered(upscaler: Upscaler) -> Restore:
    """Turn a network into a function from a photo to the pixels that ``wildsr upscale`` writes."""

    def restore(photo: Mapping[str, Any]) -> Tensor:
        pixels = photo["lr"].permute(1, 2, 0).numpy()
        return torch.from_numpy(upscale_image(upscaler, pixels, pixels.dtype)).permute(2, 0, 1)

    return restore


def upscaling_protocol(
    tile: int | None, device: torch.device, precision: str, sensor: Sensor = RGB
) -> dict[str, str]:
    """Describe how networks were applied to the photos, to be stored with the numbers.

    Args:
        tile: LR pixels a side; None if the free memory decides.
        device: where the networks run.
        precision: their data type.
        sensor: of the photos.
    """
    read = "8-bit RGB" if sensor.plain else sensor.sentence()
    side = "as the free memory allows" if tile is None else f"{tile} LR pixels a side"
    return {
        "upscaling": f"networks on {device.type} in {precision}, of LR photos as {read}; as "
        "upscale.py, which writes gray photos in one channel, those with alpha with it, and of 16 "
        "bits in 16",
        "tiles": f"those of upscale.py, {side}: they read their neighbours as far as the network's "
        "measured receptive radius, and are those of the whole photo; networks that reach 124 LR "
        f"pixels or more read {UNBOUNDED_OVERLAP}, and neighbouring tiles fade into each other "
        f"over {2 * overlap_for(None).feather}; halved where memory does not suffice",
    }


def evaluate(
    upscalers: Mapping[str, Callable[[], Restore]],
    sets: Mapping[str, ValidationPhotos],
    panel: Panel,
    folder: Path | None = None,
    advance: Callable[[str], None] = lambda note: None,
    sharp: Sequence[Path] = (),
    device: torch.device = CPU,
) -> tuple[list[Outcome], OfSets]:
    """Upscale every photo with every upscaler and compute the metrics that apply.

    Upscalers run one after the other, so that only one is in memory. A failure (an unreadable file,
    a ground truth of another size, too little memory) only makes that photo's outcome an error.

    Args:
        upscalers: name -> function that loads the upscaler; called once, at its turn.
        sets: name -> photos.
        panel: the metrics.
        folder: for SR images as PNG, one folder per upscaler and, if there are several, per set;
            None keeps no images.
        advance: called after each photo, for a progress bar.
        sharp: reference photos for set metrics; if empty, the ground truth of each set.
        device: where networks run; metrics too if it is CUDA.

    Returns:
        The outcomes, and the set metrics by row and set.
    """
    measured = measure(upscalers, sets, panel, folder, advance, device)
    outcomes = [one.outcome for one in measured]
    return outcomes, of_sets(measured, list(upscalers), sets, panel, sharp, device)


def measure(
    upscalers: Mapping[str, Callable[[], Restore]],
    sets: Mapping[str, ValidationPhotos],
    panel: Panel,
    folder: Path | None = None,
    advance: Callable[[str], None] = lambda note: None,
    device: torch.device = CPU,
    chosen: Callable[[str], bool] = lambda image: True,
) -> list[Measured]:
    """The first half of :func:`evaluate`: measure all or chosen photos one by one.

    Args:
        upscalers: see :func:`evaluate`.
        sets: name -> photos.
        panel: the metrics.
        folder: for SR images.
        advance: called after each photo.
        device: where networks run.
        chosen: decides by its name whether a photo is measured.
    """
    bounded = Bounded(panel, measuring_device(device))
    measured: list[Measured] = []
    wanted = any(isinstance(metric, Set) for metric in panel.parts.values())
    for row, make in upscalers.items():
        try:
            restore = make()
        except Exception as error:
            restore = _failing(error)
        for name, photos in sets.items():
            inside = None if folder is None else folder / file_name(row)
            if inside is not None and len(sets) > 1:
                inside = inside / file_name(name)
            for index in range(len(photos)):
                if not chosen(photos.names[index]):
                    continue
                keep = panel.gather() if wanted else None
                outcome = _outcome(row, restore, name, photos, index, bounded, keep, inside)
                kept = [] if keep is None or outcome.error else list(keep.kept.values())
                measured.append(Measured(outcome, tuple(it[0] if it else None for it in kept)))
                advance(f"{row}: {outcome.image}")
    return measured


def _failing(error: Exception) -> Restore:
    def restore(photo: Mapping[str, Any]) -> Tensor:
        raise error

    return restore


def _kept(
    sr: Tensor, path: Path, bands: Sequence[int] | None, window: Window | None
) -> Path | None:
    """Write a picture; None and a warning if it cannot be written: its metrics stay valid."""
    try:
        save_png(picture(sr, bands, window), path)
    except UserError as error:
        say_once(f"{first_line(error)} The figures are those of the picture all the same.")
        return None
    return path


def _outcome(
    row: str,
    restore: Restore,
    name: str,
    photos: ValidationPhotos,
    index: int,
    bounded: Bounded,
    gathering: Gathering | None,
    folder: Path | None,
) -> Outcome:
    image = photos.names[index]
    try:
        photo = {**photos[index], "set": name}
        sr = restore(photo)
        values = bounded.measure(sr, photo.get("hr"), photo["lr"], photo.get("gray", False))
        if gathering is not None:
            bounded.add(gathering, sr)
        path = None
        if folder is not None:
            lr, bands = photo["lr"], photos.sensor.bands
            window = window_of(lr) if lr.is_floating_point() else None
            path = _kept(sr, folder / f"{file_name(image)}.png", bands, window)
    except Exception as error:  # any error concerns this photo only
        return Outcome(row, name, image, error=first_line(error))
    return Outcome(row, name, image, values, picture=path)
