"""Read any photo as its sensor gave it: its own type and all its channels.

:mod:`wildsr.photo.image` makes 8-bit RGB of everything, which is what people look at; this is what
is measured and trained on. Contract of the two readers, which every format is to follow:

* :func:`kind_of` looks at the header only; :func:`read_samples` decodes. Both agree.
* Pixels are (H, W, C), contiguous, upright, of uint8, uint16 or float32; C is 1 for gray, 3 for
  RGB, any number for other sensors. Other types (signed, 32 and 64 bits) become float32.
* A channel that the file calls alpha is no channel: what is transparent lies on white.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wildsr.atomic import writing
from wildsr.error import UserError
from wildsr.photo.formats import format_of
from wildsr.photo.stream import LIMIT, Photo
from wildsr.photo.unreadable import allow, readable
from wildsr.photo.vips import pyvips

Samples = npt.NDArray[Any]  # (H, W, C) of uint8, uint16 or float32
Range = tuple[float, float]
TYPES: dict[str, np.dtype[Any]] = {
    "8": np.dtype(np.uint8),
    "16": np.dtype(np.uint16),
    "float": np.dtype(np.float32),
}
_ALPHA = (1, 2)  # TIFF 6.0, tag 338: associated and unassociated; 0 is a channel like the others
_CHUNKY = ("MINISBLACK", "RGB")
_TURNS: dict[int, Callable[[Samples], Samples]] = {  # TIFF 6.0, tag 274
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: np.rot90,
}


@dataclass(frozen=True)
class Kind:
    """What a file holds, by its header.

    Attributes:
        height, width: pixels, upright.
        channels: without alpha.
        dtype: uint8, uint16 or float32.
        range: what the file says its values lie in (12 of 16 bits, say); None where it says
            nothing.
        names: of the channels, where the file has them; else empty.
    """

    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    range: Range | None = None
    names: tuple[str, ...] = ()

    @property
    def depth(self) -> str:
        """The type as users write it: "8", "16" or "float"."""
        return next(name for name, dtype in TYPES.items() if dtype == self.dtype)


def kind_of(path: Path | str, limit: float | None = LIMIT) -> Kind:
    """What a file holds, by its header.

    Raises:
        UnreadableImage: no image, or one of a kind that is not read.
    """
    path = Path(path)
    with readable(path):
        raw = _raw(path)
    if raw is not None:
        allow(path, raw.width, raw.height, limit)
        return raw
    photo = Photo(path, limit)
    return Kind(photo.height, photo.width, _colours(photo.channels), photo.dtype)


def is_raw(path: Path | str) -> bool:
    """Whether a file is no ordinary photo: floats, or other channels than gray and RGB.

    Raises:
        UnreadableImage: its header cannot be read.
    """
    with readable(path):
        return _raw(Path(path)) is not None


def read_samples(path: Path | str, limit: float | None = LIMIT) -> Samples:
    """Decode a file to (H, W, C) of its own type; see :func:`kind_of` for what it will be.

    Args:
        path: anything that :class:`wildsr.photo.stream.Photo` reads, and TIFFs of any number of
            channels and of floating-point numbers, of which the first page is taken.
        limit: megapixels that are decoded at most; None for any number.

    Raises:
        UnreadableImage: anything that cannot be decoded, or is larger than ``limit``.
    """
    path = Path(path)
    with readable(path):
        raw = _raw(path)
    if raw is not None:
        allow(path, raw.width, raw.height, limit)
        with readable(path):
            return _decoded(path, raw)
    photo = Photo(path, limit)
    with readable(path):
        return on_white(photo.read(photo.height))


def on_white(pixels: Samples) -> Samples:
    """Lay gray or RGB with alpha, (h, w, 2 or 4) integers, on white, in their own type."""
    if pixels.shape[2] not in (2, 4):
        return np.ascontiguousarray(pixels)
    most = int(np.iinfo(pixels.dtype).max)
    colour, alpha = pixels[..., :-1].astype(np.uint64), pixels[..., -1:].astype(np.uint64)
    mixed = (colour * alpha + most * (most - alpha) + most // 2) // most
    return mixed.astype(pixels.dtype)


def write_samples(path: Path, pixels: Samples) -> None:
    """Write (H, W, C) as a PNG (1 or 3 channels of 8 or 16 bits) or a TIFF (anything).

    Raises:
        UserError: what the format cannot hold, or a file that cannot be written.
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
            _write_tiff(partial, pixels)


def _write_tiff(path: Path, pixels: Samples) -> None:
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


def _raw(path: Path) -> Kind | None:
    """The kind of a TIFF that is no ordinary photo: other types, other numbers of channels."""
    if format_of(path) != "tiff":
        return None
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        tags = page.tags
        samples, dtype = int(page.samplesperpixel), page.dtype
        photometric = getattr(page.photometric, "name", "")
        extra = [int(value) for value in page.extrasamples]
        orientation = tags.valueof(274, 1)
        height, width = int(page.imagelength), int(page.imagewidth)
    if dtype is None:
        return None
    ordinary = np.dtype(dtype) in (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(bool))
    colour = samples - len([kind for kind in extra if kind in _ALPHA][-1:])
    if photometric not in ("MINISWHITE", *_CHUNKY):  # palettes, CMYK, Lab, YCbCr: colour photos
        return None
    if ordinary and (colour == 1 or (colour == 3 and photometric == "RGB")):
        return None
    if orientation in (5, 6, 7, 8):
        height, width = width, height
    kind = np.dtype(dtype)
    kept = kind if kind in (np.dtype(np.uint8), np.dtype(np.uint16)) else np.dtype(np.float32)
    return Kind(height, width, colour, kept)


def _decoded(path: Path, kind: Kind) -> Samples:
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        try:
            pixels = page.asarray()
            pixels = np.moveaxis(pixels, 0, 2) if page.axes == "SYX" else pixels
            turn = _TURNS.get(int(page.tags.valueof(274, 1)), lambda image: image)
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            image = pyvips.Image.tiffload(os.fsencode(path), fail_on="error").autorot()
            pixels, turn = image.numpy(), lambda image: image
    if pixels.dtype.kind == "c":
        raise ValueError("complex pixels")
    pixels = turn(pixels.reshape(*pixels.shape[:2], -1))[..., : kind.channels]
    return np.ascontiguousarray(pixels.astype(kind.dtype, copy=False))
