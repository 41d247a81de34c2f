"""Evaluate saved results: a folder of SR images in the place of an upscaler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wildsr.atomic import file_name
from wildsr.data.validation import read_photo
from wildsr.error import UserError
from wildsr.evaluation.evaluate import Restore
from wildsr.photo.image import LIMIT, UnreadableImage, bare_stem, list_images
from wildsr.photo.samples import kind_of
from wildsr.photo.sensor import RGB, Sensor
from wildsr.photo.unreadable import unreadable


def precomputed(
    folder: Path, limit: float | None = LIMIT, sensor: Sensor = RGB
) -> Callable[[int], Restore]:
    """Look up SR images by the photo's name, with any suffix, in the set's folder if there is one.

    Names are matched like those of LR and HR photos; surplus rows and columns, fewer than the
    scale, are cut off.

    Args:
        folder: of the SR images.
        limit: largest size that is read, in megapixels; None for any.
        sensor: of the photos: SR images are read in its depth and between its black and white.

    Returns:
        A function of the scale that returns the lookup
        (:data:`~wildsr.evaluation.evaluate.Restore`).

    Raises:
        UserError: the folder is missing or holds no images; the lookup raises it too, for an image
            that is missing, ambiguous or of another size.
    """
    list_images(folder, "results")
    listed: dict[Path, list[Path]] = {}

    def open_folder(scale: int) -> Restore:
        def restore(photo: Mapping[str, Any]) -> Tensor:
            own = folder / file_name(str(photo["set"]))
            where = own if own.is_dir() else folder
            if where not in listed:
                listed[where] = list_images(where, "results")
            path = _of_name(listed[where], str(photo["name"]), where)
            _of_this_depth(path, sensor)
            pixels = torch.from_numpy(read_photo(path, limit, sensor)).permute(2, 0, 1)
            height, width = (side * scale for side in photo["lr"].shape[1:])
            extra = (pixels.shape[1] - height, pixels.shape[2] - width)
            if min(extra) < 0 or max(extra) >= scale:
                raise UserError(
                    f"{path} has {pixels.shape[2]}x{pixels.shape[1]} pixels instead of "
                    f"{width}x{height}."
                )
            return pixels[:, :height, :width].contiguous()

        return restore

    return open_folder


def _of_this_depth(path: Path, sensor: Sensor) -> None:
    """Refuse a file whose numbers are not those between the sensor's black and white.

    Raises:
        UnreadableImage: it is of another type, or no image.
    """
    if sensor.lr is None and sensor.depth != "float":
        return  # black and white are those of each type
    kind = kind_of(path, None)
    if kind.dtype != sensor.dtype:
        raise unreadable(
            path, f"it is of {kind.dtype.name}, but the upscalers' photos are {sensor.sentence()}"
        )


def _of_name(paths: list[Path], name: str, folder: Path) -> Path:
    for called in (lambda stem: stem.lower(), bare_stem):
        same = [path for path in paths if called(path.stem) == called(name)]
        if len(same) == 1:
            return same[0]
        if same:
            raise UnreadableImage(f"{folder} has {len(same)} pictures called {name}")
    raise UnreadableImage(f"{folder} has no picture called {name}")
