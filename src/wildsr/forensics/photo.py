"""The coding of one photo, from its header, its pixels, or both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wildsr.forensics.coding import Coding
from wildsr.forensics.enlargement import read_enlargement
from wildsr.forensics.grid import Found
from wildsr.forensics.header import read_header
from wildsr.forensics.older import read_older
from wildsr.forensics.pixels import luminance_only, read_pixels
from wildsr.forensics.planes import planes
from wildsr.photo.image import read_image


def read_coding(path: Path | str, photo: npt.NDArray[np.uint8] | None = None) -> Coding:
    """How a photo was compressed: from its header, or from its pixels if that states nothing.

    The pixels of a JPEG file, or of another lossy format, are also searched for an older coding. A
    photo that was resized and saved again reveals its last coding only: the earlier one has left
    neither a grid nor a table. But enlargement shows in its pixels (:func:`read_enlargement`).

    Args:
        path: of the file.
        photo: its pixels, uint8 as ``read_image`` returns them, if they have been read already.

    Raises:
        UnreadableImage: a file that cannot be decoded.
    """
    pixels = read_image(path) if photo is None else photo
    return replace(_read_coding(path, pixels), enlarged=read_enlargement(pixels))


def _read_coding(path: Path | str, pixels: npt.NDArray[np.uint8]) -> Coding:
    stated = read_header(path)
    if stated.kind is None:
        return read_pixels(pixels)
    if stated.luma is None:  # WebP and the like: a JPEG coding in the pixels is an older one
        before = read_pixels(pixels)
        return replace(stated, older=before if before.kind else None)
    assert stated.phase is not None  # a header with tables tells where the blocks begin
    last = Found(stated.phase, stated.luma, stated.quality if stated.exact else None, 0.0)
    older = read_older(planes(pixels), last)
    return replace(stated, older=None if older is None else luminance_only(older))
