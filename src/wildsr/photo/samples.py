"""Read any photo with its sensor's own data type and all its channels.

:mod:`wildsr.photo.image` makes 8-bit RGB of everything, for viewing; this module gives what is
measured and trained on. Rules for both functions, whatever the format:

* :func:`kind_of` reads only the header; :func:`read_samples` decodes. Both agree.
* Pixels are (H, W, C), contiguous, upright, of uint8, uint16 or float32; C is 1 for gray, 3 for
  RGB, any number for other sensors. Other types (signed, 32 and 64 bits) become float32.
* Alpha does not count as a channel: transparent pixels are composited on white.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wildsr.atomic import writing
from wildsr.error import UserError
from wildsr.photo.folder import say_once
from wildsr.photo.formats import format_of
from wildsr.photo.raster.base import Raster
from wildsr.photo.raster.open import open_plainly
from wildsr.photo.raster.ranges import valid
from wildsr.photo.rows import on_white
from wildsr.photo.stream import LIMIT, Photo
from wildsr.photo.unreadable import readable
from wildsr.photo.vips import pyvips

Samples = npt.NDArray[Any]  # (H, W, C) of uint8, uint16 or float32
Range = tuple[float, float]
TYPES: dict[str, np.dtype[Any]] = {
    "8": np.dtype(np.uint8),
    "16": np.dtype(np.uint16),
    "float": np.dtype(np.float32),
}


@dataclass(frozen=True)
class Kind:
    """The kind of data in a file, by its header.

    Attributes:
        height, width: pixels, upright.
        channels: without alpha.
        dtype: uint8, uint16 or float32.
        range: the value range that the file declares (12 of 16 bits, say), or None.
        names: of the channels, if the file has them; else empty.
    """

    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    range: Range | None = None
    names: tuple[str, ...] = ()

    @property
    def depth(self) -> str:
        """The data type as users write it: "8", "16" or "float"."""
        return next(name for name, dtype in TYPES.items() if dtype == self.dtype)


def kind_of(path: Path | str, limit: float | None = LIMIT) -> Kind:
    """Determine the kind of data in a file by its header.

    Raises:
        UnreadableImage: no image, or one of a kind that is not read.
        UserError: a package that the format needs is not installed.
    """
    path = Path(path)
    with readable(path):
        raw = _raw(path, limit)
    if raw is not None:
        return raw
    photo = Photo(path, limit)
    return Kind(photo.height, photo.width, _colours(photo.channels), photo.dtype)


def read_samples(path: Path | str, limit: float | None = LIMIT) -> Samples:
    """Decode a file to (H, W, C) in its own data type; :func:`kind_of` tells which that is.

    Args:
        path: anything that :class:`wildsr.photo.stream.Photo` reads, and files of measured values
            (TIFF of any channels and type, npy, npz, DICOM in physical units), of which the first
            page is taken. Pixels that were not measured get the value of the nearest measured one.
        limit: largest size that is decoded, in megapixels; None for any.

    Raises:
        UnreadableImage: anything that cannot be decoded, or is larger than ``limit``.
        UserError: a package that the format needs is not installed.
    """
    path = Path(path)
    with readable(path):
        raster = _raster(path, limit)
        if raster is not None:
            return _decoded(raster, _kind(raster))
    photo = Photo(path, limit)
    with readable(path):
        return on_white(photo.read(photo.height))


def write_samples(path: Path, pixels: Samples) -> None:
    """Write (H, W, C) as a PNG (1 or 3 channels of 8 or 16 bits) or a TIFF (anything).

    Raises:
        UserError: the format cannot hold the pixels, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    channels = pixels.shape[2]
    png = suffix == ".png"
    if png and (channels not in (1, 3) or pixels.dtype.kind == "f"):
        kind = f"{channels} channels of {pixels.dtype}"
        raise UserError(f"{path} cannot hold {kind}; a TIFF (format=tif) can.")
    if not png and suffix not in (".tif", ".tiff"):
        raise UserError(f"{path} must be a PNG or a TIFF to keep {pixels.dtype} as it is.")
    with writing(path) as partial:
        if png:
            image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
            spaces = {(1, 1): "b-w", (1, 2): "grey16", (3, 1): "srgb", (3, 2): "rgb16"}
            space = spaces[channels, pixels.dtype.itemsize]
            image.copy(interpretation=space).pngsave(os.fsencode(partial))
        else:
            write_tiff(partial, pixels)


def write_tiff(path: Path, pixels: Samples) -> None:
    """Write (H, W, C) as a TIFF, whatever its type and channels."""
    import tifffile

    channels = pixels.shape[2]
    tifffile.imwrite(
        path,
        pixels[..., 0] if channels == 1 else pixels,
        photometric="rgb" if channels == 3 else "minisblack",
        planarconfig=None if channels == 1 else "contig",
        compression="zlib",
        metadata=None,
    )


def _colours(channels: int) -> int:
    return {2: 1, 4: 3}.get(channels, channels)


def _raw(path: Path, limit: float | None = None) -> Kind | None:
    """The kind of a file of measured values; None of an ordinary photo."""
    raster = _raster(path, limit)
    return None if raster is None else _kind(raster)


def _raster(path: Path, limit: float | None) -> Raster | None:
    """Open a file of measured values so that it returns units instead of stored numbers."""
    raster = open_plainly(path, format_of(path), limit)
    if raster is not None:
        raster.in_units()
    return raster


def _kind(raster: Raster) -> Kind:
    page = raster.pages[0]
    kept = page.dtype if page.dtype in (np.uint8, np.uint16) else np.dtype(np.float32)
    channels = page.bands - (page.alpha is not None)
    names = raster.names[:channels] if any(raster.names) else ()
    return Kind(page.height, page.width, channels, np.dtype(kept), raster.stated, names)


def _decoded(raster: Raster, kind: Kind) -> Samples:
    """The first page, finite everywhere, without alpha."""
    page = raster.pages[0]
    rows = raster.rows(0)
    values = rows.read(page.height)
    rows.close()
    there = valid(values, raster.missing(0))
    if not there.all():
        share = 100 * (1 - there.mean())
        say_once(f"{raster.path}: {share:.3g} % was not measured; the nearest that was is taken")
        values = filled(values, there)
    if page.alpha is not None:
        white = 1.0 if page.dtype.kind == "f" else float(np.iinfo(page.dtype).max)
        alpha = values[..., page.alpha, None].astype(np.float64) / white
        colours = np.delete(values, page.alpha, -1) * alpha + white * (1 - alpha)
        values = colours if page.dtype.kind == "f" else np.rint(colours)
    return np.ascontiguousarray(values.astype(kind.dtype))


def filled(values: Samples, there: npt.NDArray[np.bool_]) -> Samples:
    """Replace unmeasured values by the nearest measured value of their channel.

    Args:
        values: (H, W, C).
        there: (H, W, C); True where a value was measured.

    Returns:
        (H, W, C); a channel without any measured value becomes 0.
    """
    from scipy.ndimage import distance_transform_edt

    made = values.copy()
    for band in range(values.shape[2]):
        known = there[..., band]
        if not known.any():
            made[..., band] = 0
        elif not known.all():
            nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
            made[..., band] = values[..., band][tuple(nearest)]
    return made
