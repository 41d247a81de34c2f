"""Read image files as plain 8-bit RGB, whatever they are stored as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from wildsr.error import UserError
from wildsr.photo.folder import SUFFIXES, bare_stem, list_images, relative_names
from wildsr.photo.raster.view import Sight
from wildsr.photo.rows import Array, on_white
from wildsr.photo.stream import BAND, LIMIT, Photo
from wildsr.photo.unreadable import TooLarge, UnreadableImage, readable

__all__ = [
    "LIMIT",
    "SUFFIXES",
    "Pixels",
    "TooLarge",
    "UnreadableImage",
    "bare_stem",
    "list_images",
    "one_channel",
    "read_image",
    "relative_names",
]

Pixels = npt.NDArray[np.uint8]


def read_image(path: Path | str, limit: float | None = LIMIT, sight: Sight | None = None) -> Pixels:
    """Decode an image file to upright RGB, as :class:`wildsr.photo.stream.Photo` reads it.

    Gray is repeated to three channels, 16 bits become ``round(v / 257)``, and transparency is
    composited on white. A truncated file is an error; it never gives half a photo on gray. Besides
    the result only some rows are in memory; for BMP, GIF and rotated photos also the decoded file.

    Args:
        path: anything that :class:`wildsr.photo.stream.Photo` reads.
        limit: largest size that is decoded, in megapixels; None for any.
        sight: how a file of measured values is shown as a photo.

    Returns:
        uint8 array (H, W, 3), contiguous.

    Raises:
        UnreadableImage: anything that cannot be decoded, does not fit into memory, or is larger
            than ``limit``; one line with the path and the reason.
    """
    photo = Photo(path, limit, sight)
    with readable(path):  # also too little memory
        pixels = np.empty((photo.height, photo.width, 3), np.uint8)
    step = max(BAND // photo.width, 1)
    for top in range(0, photo.height, step):
        band = photo.read(min(step, photo.height - top))
        pixels[top : top + len(band)] = plain_rgb(band)
    return pixels


def plain_rgb(rows: Array) -> Pixels:
    """Convert rows of 1 to 4 channels to 8-bit RGB, composited on white.

    Args:
        rows: (h, w, c) of uint8 or uint16; a second or fourth channel is alpha.

    Returns:
        (h, w, 3) of uint8, rounded to the nearest.
    """
    rows = on_white(rows)
    if rows.dtype == np.uint16:
        rows = (rows.astype(np.uint32) + 128) // 257  # round(v / 257), without ties
    return np.broadcast_to(rows, (*rows.shape[:2], 3)).astype(np.uint8)


def one_channel(path: Path | str) -> bool:
    """Whether the file holds gray pixels, of any depth; reads only its header."""
    try:
        return Photo(path, None).channels in (1, 2)
    except UserError:  # reported when the pixels are read
        return False
