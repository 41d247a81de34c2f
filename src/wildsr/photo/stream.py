"""Photos as rows of pixels, with everything they carry, whatever they were stored as."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wildsr.error import UserError, first_line
from wildsr.photo.image import UnreadableImage
from wildsr.photo.metadata import BLOBS, read_exif, unlimited, upright_xmp
from wildsr.photo.rows import Array
from wildsr.photo.vips import pyvips

# By the beginning of the file, not by its name, and only these: nothing disguised as a photo
# reaches a decoder that follows links or runs programs.
LOADERS = {
    b"\xff\xd8\xff": "jpegload",
    b"\x89PNG\r\n\x1a\n": "pngload",
    b"RIFF": "webpload",
    b"II*\0": "tiffload",
    b"MM\0*": "tiffload",
    b"II+\0": "tiffload",
    b"MM\0+": "tiffload",
}
OTHERS = ("BMP", "GIF")  # which Pillow decodes, at once
NAMES = {"jpegload": "jpg", "pngload": "png", "webpload": "webp", "tiffload": "tif"}
GRAY, COLOUR = ("b-w", "grey16"), ("srgb", "rgb", "rgb16")
DEPTHS: dict[str, np.dtype[Any]] = {"uchar": np.dtype(np.uint8), "ushort": np.dtype(np.uint16)}


class Photo:
    """An image file, read from top to bottom, upright.

    8 or 16 bits, gray or RGB, each with or without alpha, stay what they are; palettes become RGB;
    CMYK and Lab become sRGB by their profile. Of animations and pages the first is taken.

    Args:
        path: JPEG, PNG, WebP, TIFF, BMP or GIF, by content.
        limit: megapixels that are decoded at most; None for any number.

    Attributes:
        height, width, channels, dtype: of the rows.
        kind: suffix of a format that keeps all of it: "jpg", "png", "webp" or "tif".
        exif: see :func:`wildsr.photo.metadata.read_exif`.
        blobs: the colour profile, XMP and IPTC by libvips' names.
        resolution: pixels per millimetre across and down, None where the file says nothing.

    Raises:
        UnreadableImage: no image, a damaged one, floating-point pixels, more than four channels.
        UserError: more pixels than ``limit``.
    """

    def __init__(self, path: Path | str, limit: float | None = None) -> None:
        self.path = Path(path)
        with self._readable():
            loader = _loader(self.path)
            opened = self._open(loader, "sequential", limit)
            orientation = opened.get("orientation") if opened.get_typeof("orientation") else 1
            if orientation > 2:  # rows of the result are columns of the file, or its last ones
                opened = self._open(loader, "random", limit)
            image = _converted(opened.autorot() if orientation > 1 else opened)
        self.height, self.width, self.channels = image.height, image.width, image.bands
        self.dtype = DEPTHS[image.format]
        self.kind = NAMES.get(loader or "", "png")
        self.exif = read_exif(self.path)
        self.blobs: dict[str, bytes] = {n: image.get(n) for n in BLOBS if image.get_typeof(n)}
        if "xmp-data" in self.blobs:
            self.blobs["xmp-data"] = upright_xmp(self.blobs["xmp-data"])
        unsaid = image.xres in (0, 1) or abs(image.xres * 25.4 - 72) < 0.05  # libvips' defaults
        self.resolution = None if unsaid else (image.xres, image.yres)
        self._region, self._row = pyvips.Region.new(image), 0

    def read(self, count: int) -> Array:
        """The next ``count`` rows: (count, width, channels), integers."""
        with self._readable():
            pixels = self._region.fetch(0, self._row, self.width, count)
        self._row += count
        return np.frombuffer(pixels, self.dtype).reshape(count, self.width, self.channels)

    def _open(self, loader: str | None, access: str, limit: float | None) -> Any:
        if loader is None:
            with unlimited(), Image.open(self.path, formats=OTHERS) as image:
                self._allow(image.width, image.height, limit)
                alpha = image.has_transparency_data
                gray = image.mode in ("1", "L")
                plain = image.convert("RGBA" if alpha else "L" if gray else "RGB")
            return pyvips.Image.new_from_array(np.asarray(plain))
        options = {"unlimited": True} if loader in ("jpegload", "pngload") else {}
        image = getattr(pyvips.Image, loader)(
            os.fsencode(self.path), access=access, fail_on="truncated", **options
        )
        self._allow(image.width, image.height, limit)
        return image

    def _allow(self, width: int, height: int, limit: float | None) -> None:
        if limit is not None and width * height > limit * 1e6:
            raise UserError(
                f"{self.path} has {width} x {height} pixels, more than `limit` allows "
                f"({limit:g} megapixels)."
            )

    def _readable(self) -> _Readable:
        return _Readable(self.path)


class _Readable:
    """What decoders raise becomes one line with the path and the reason."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, UserError) or not isinstance(error, Exception):
            return
        reason = first_line(error)
        if isinstance(error, pyvips.Error):
            lines = error.detail.strip().splitlines()
            reason = f"damaged, or it ends early ({lines[0] if lines else error.message})"
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        failure = UnreadableImage(
            f"Image {self.path} cannot be read: {reason.strip().rstrip('.')}."
        )
        failure.reason = reason
        raise failure from error


def size_of(path: Path) -> tuple[int, int] | None:
    """Width and height of a photo, upright; None where it cannot be read."""
    try:
        photo = Photo(path)
    except UserError:
        return None
    return photo.width, photo.height


def _loader(path: Path) -> str | None:
    """The name of libvips' loader; None where it has none."""
    with path.open("rb") as file:
        begin = file.read(16)
    if not begin:
        raise ValueError("the file is empty")
    for magic, loader in LOADERS.items():
        if begin.startswith(magic) and (loader != "webpload" or begin[8:12] == b"WEBP"):
            return loader
    if begin[:2] == b"BM" or begin[:3] == b"GIF":
        return None
    raise ValueError("not an image, or its beginning is damaged")


def _converted(image: Any) -> Any:
    """Gray or RGB, with or without alpha, 8 or 16 bits."""
    if image.format not in DEPTHS:
        raise ValueError(f"pixels of type {image.format}, only 8 and 16 bits are supported")
    if image.interpretation == "cmyk":
        depth = 16 if image.format == "ushort" else 8
        image = image.icc_transform("srgb", embedded=True, depth=depth)
    elif image.interpretation not in (*GRAY, *COLOUR) and image.interpretation != "multiband":
        image = image.colourspace("srgb")
    if image.bands > 4:
        raise ValueError(f"{image.bands} channels, at most 4 are supported")
    return image
