"""Read photos of any format as rows of pixels, with their metadata.

All decisions about what the pixels of a file mean are made here: training, evaluation and
upscaling all read through this module.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wildsr.error import UserError
from wildsr.photo.conversion import DEPTHS, converted, turned
from wildsr.photo.decoded import DecodedImage, HeifImage, RawImage, whole_range
from wildsr.photo.folder import say_once
from wildsr.photo.formats import format_of, jpeg_structure, lab_photometric, png_structure
from wildsr.photo.metadata import BLOBS, exif_of, orientation_of, png_text_exif, upright_xmp
from wildsr.photo.raster.open import open_plainly
from wildsr.photo.raster.view import Sight, View
from wildsr.photo.rows import Array
from wildsr.photo.tiff_strips import check_strips
from wildsr.photo.unreadable import allow, readable
from wildsr.photo.vips import pyvips
from wildsr.photo.whole import WholeImage

LIMIT = 200.0  # megapixels of the largest photo that is read by default
LOADERS = {
    "jpeg": "jpegload",
    "png": "pngload",
    "webp": "webpload",
    "tiff": "tiffload",
    "avif": "heifload",
}
NAMES = {
    **{"jpeg": "jpg", "png": "png", "webp": "webp", "tiff": "tif"},
    **{"heic": "heic", "avif": "avif", "raw": "tif"},
}
BAND = 1 << 20  # pixels that are read over at once
# Warnings of libjpeg that do not concern the pixels.
_HARMLESS = re.compile(r"Unknown Adobe color transform|unknown JFIF revision")
_PADDING = re.compile(r"extraneous bytes before marker 0xd9")


class Photo:
    """A photo file, read from top to bottom, upright.

    8 or 16 bits, gray or RGB, each with or without alpha, stay as they are; palettes become RGB;
    CMYK becomes sRGB by its profile (or a common one if it has none), Lab becomes sRGB. Of
    animations and multi-page files the first picture is taken, and a warning is printed once.

    Args:
        path: JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC or camera raw, recognised by content;
            files of measured values are rendered (see :class:`wildsr.photo.raster.view.View`).
        limit: largest size that is decoded, in megapixels; None for any.
        sight: how a file of measured values is rendered; None for its own bands and window.

    Attributes:
        height, width, channels, dtype: of the rows.
        frames: number of pictures in the file, of which this is the first.
        kind: suffix of a format that keeps all of it: "jpg", "png", "webp", "tif", "heic" or
            "avif".
        exif: see :func:`wildsr.photo.metadata.exif_of`.
        blobs: the colour profile, XMP and IPTC, by libvips' names.
        texts: text chunks of a PNG, copied to a PNG that is made from it.
        comments: of a JPEG, copied to a JPEG or PNG that is made from it.
        resolution: pixels per millimetre (horizontal, vertical); None if the file does not tell.

    Raises:
        UnreadableImage: no image, no regular file, or a damaged one.
        TooLarge: more pixels than ``limit``.
        UserError: a package that the format needs is not installed.
    """

    def __init__(
        self, path: Path | str, limit: float | None = LIMIT, sight: Sight | None = None
    ) -> None:
        self.path, self.limit, self._sight = Path(path), limit, sight or Sight()
        with readable(self.path):
            self.format = format_of(self.path)
            self.kind = NAMES.get(self.format, "png")
            raster = open_plainly(self.path, self.format, limit)
            if raster is not None:
                self._open_whole(View(raster, self._sight.bands, self._sight.window))
            elif self.format in ("bmp", "gif"):
                self._open_whole(WholeImage(self.path, self.format, self.limit))
            elif self.format == "heic":
                self._open_whole(HeifImage(self.path, self.limit))
            elif self.format == "raw":
                self._open_whole(RawImage(self.path, self.limit))
            else:
                self._open_stream()

    def read(self, count: int) -> Array:
        """The next ``count`` rows: (count, width, channels), integers.

        Raises:
            UnreadableImage: the rows are damaged or missing.
        """
        if self.frames > 1:
            say_once(f"{self.path}: the first of {self.frames} pictures in the file is taken")
        with readable(self.path):
            if self.format == "tiff" and self._row == 0 and self._whole is None:
                check_strips(self.path)
            if self._whole is not None:
                rows: Array = self._whole.read(count)
            else:
                rows = self._fetched(count)
        self._row += count
        return rows

    def again(self) -> Photo:
        """The same photo from its first row: the file is opened and decoded anew."""
        return Photo(self.path, self.limit, self._sight)

    def _open_whole(self, whole: WholeImage | DecodedImage | View) -> None:
        self._whole: WholeImage | DecodedImage | View | None = whole
        self.height, self.width, self.channels = whole.height, whole.width, whole.channels
        self.dtype, self.frames, self._row = whole.dtype, whole.frames, 0
        self.exif: Image.Exif | None = getattr(whole, "exif", None)
        self.resolution = whole.resolution
        self.blobs: dict[str, bytes] = getattr(whole, "blobs", {})
        self.texts: list[bytes] = []
        self.comments: list[bytes] = []

    def _open_stream(self) -> None:
        self._whole, self._row, self._fail_on = None, 0, "error"
        self.texts, self.comments = [], []
        self._held: bytes | None = None  # of a file that is decoded from memory: libvips only
        self._lab: int | None = None  # borrows it
        self._padded = True
        png_frames, late_exif = 1, None
        if self.format == "jpeg":
            # Damage is only a warning to libjpeg, which goes on with gray or repeated blocks.
            jpeg = jpeg_structure(self.path)
            self._fail_on, self._padded, self.comments = "warning", jpeg.plain, jpeg.comments
        elif self.format == "png":
            structure = png_structure(self.path)
            png_frames, late_exif = structure.frames, structure.exif
            self.texts = structure.texts
        elif self.format == "tiff":
            self._take_lab()
        opened = self._opened("sequential")
        self.frames = max(_field(opened, "n-pages", 1), png_frames)
        self._bits = int(_field(opened, "bits-per-sample", 16))
        self.blobs = {n: bytes(opened.get(n)) for n in BLOBS if opened.get_typeof(n)}
        block = _field(opened, "exif-data", None) or late_exif or png_text_exif(opened)
        xmp = self.blobs.get("xmp-data", b"")
        self.exif, said = exif_of(self.path, self.format, block)
        self._orientation = orientation_of(said, xmp) if self.format != "avif" else 1
        if xmp:
            self.blobs["xmp-data"] = upright_xmp(xmp)
        unsaid = opened.xres in (0, 1) or abs(opened.xres * 25.4 - 72) < 0.05  # libvips' defaults
        across, down = opened.xres, opened.yres
        self.resolution = None if unsaid else (across, down)
        if self.resolution and self._orientation > 4:
            self.resolution = (down, across)
        image = self._begin(opened)
        if not image.get_typeof("icc-profile-data"):
            self.blobs.pop("icc-profile-data", None)
        else:
            self.blobs["icc-profile-data"] = bytes(image.get("icc-profile-data"))
        self.height, self.width, self.channels = image.height, image.width, image.bands
        self.dtype = DEPTHS[image.format]

    def _take_lab(self) -> None:
        """Open 8-bit Lab as if it were RGB, because libvips would take it for its own encoding."""
        with self.path.open("rb") as file:
            found = lab_photometric(file)
            if found is not None:
                file.seek(0)
                data = bytearray(file.read())
                place, self._lab = found
                data[place : place + 2] = struct.pack("<H" if data[:2] == b"II" else ">H", 2)
                self._held = bytes(data)

    def _opened(self, access: str) -> Any:
        name = LOADERS[self.format]
        if not pyvips.type_find("VipsOperation", name):
            raise ValueError(f"{self.format.upper()} is not among what the installed libvips reads")
        options = {"access": access, "fail_on": self._fail_on}
        if self._held is None:
            image = getattr(pyvips.Image, name)(os.fsencode(self.path), **options)
        else:
            image = getattr(pyvips.Image, f"{name}_buffer")(self._held, **options)
        allow(self.path, image.width, image.height, self.limit)
        return image

    def _begin(self, opened: Any | None = None) -> Any:
        """Start at the first row."""
        if self._orientation > 2:  # needs random access to the file's pixels
            opened = self._opened("random")
        elif opened is None:
            opened = self._opened("sequential")
        image = converted(turned(opened, self._orientation), self._lab)
        # References are kept: a region does not keep its image alive, nor an image its memory.
        self._image, self._region = image, pyvips.Region.new(image)
        return image

    def _fetched(self, count: int) -> Array:
        try:
            pixels = self._region.fetch(0, self._row, self.width, count)
        except pyvips.Error as error:
            if self._fail_on != "warning" or not self._bearable(error.detail):
                raise
            self._fail_on = "error"  # from now on only fatal errors of libjpeg count
            self._begin()
            for row in range(0, self._row, 64):
                self._region.fetch(0, row, self.width, min(64, self._row - row))
            pixels = self._region.fetch(0, self._row, self.width, count)
        rows: Any = np.frombuffer(pixels, self.dtype).reshape(count, self.width, self.channels)
        if self.format == "avif" and self.dtype == np.uint16:
            rows = whole_range(rows, self._bits)
        return rows

    def _bearable(self, detail: str) -> bool:
        """Whether a JPEG's warnings are about its frills; padding at the end is, in a plain one."""
        lines = [line for line in detail.splitlines() if line.startswith("VipsJpeg:")]
        return bool(lines) and all(
            _HARMLESS.search(line) or (self._padded and _PADDING.search(line)) for line in lines
        )


def size_of(path: Path) -> tuple[int, int] | None:
    """Read the (width, height) of a photo, upright, from its header; None if it is unreadable."""
    try:
        photo = Photo(path, None)
    except UserError:
        return None
    return photo.width, photo.height


def _field(image: Any, name: str, otherwise: Any) -> Any:
    return image.get(name) if image.get_typeof(name) else otherwise
