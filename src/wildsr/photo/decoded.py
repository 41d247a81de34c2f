"""Read HEIC and camera raw, which their libraries decode in memory as a whole, row by row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from wildsr.extra import needed
from wildsr.photo.metadata import exif_of, upright_xmp
from wildsr.photo.rows import Array
from wildsr.photo.unreadable import allow

SRGB = (2.4, 12.92)  # power and slope at black of its curve (IEC 61966-2-1)


class DecodedImage(ABC):
    """Reads the rows of a photo that is decoded when the first rows are asked for.

    Attributes:
        height, width, channels, dtype: of the rows.
        frames: number of pictures in the file.
        exif: see :func:`wildsr.photo.metadata.exif_of`.
        blobs: the colour profile and XMP, by libvips' names.
        resolution: None.
    """

    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    frames = 1
    resolution = None

    def __init__(self) -> None:
        self.exif: Image.Exif | None = None
        self.blobs: dict[str, bytes] = {}
        self._pixels: npt.NDArray[Any] | None = None
        self._row = 0

    def read(self, count: int) -> Array:
        """The next ``count`` rows, (count, width, channels)."""
        if self._pixels is None:
            pixels = self._decoded()
            self._pixels = pixels.reshape(self.height, self.width, self.channels)
        self._row += count
        return self._pixels[self._row - count : self._row]

    @abstractmethod
    def _decoded(self) -> npt.NDArray[Any]:
        """All pixels, (height, width, channels) or without the last axis."""


class HeifImage(DecodedImage):
    """Reads HEIC by pillow-heif, upright; 10 and 12 bits become 16.

    The decoder has applied the file's own orientation already, so the EXIF orientation is ignored.

    Args:
        path: the file.
        limit: megapixels; None for any number.

    Raises:
        TooLarge: more pixels than ``limit``.
        UserError: pillow-heif is not installed.
    """

    def __init__(self, path: Path, limit: float | None) -> None:
        super().__init__()
        package = needed("pillow_heif", "photo", "A HEIC photo")
        with path.open("rb") as file:
            opened = package.open_heif(file, convert_hdr_to_8bit=False)
        self.frames = len(opened)
        self._image = opened[opened.primary_index]
        self.width, self.height = self._image.size
        allow(path, self.width, self.height, limit)
        mode, info = self._image.mode, self._image.info
        self.channels = {"L": 1, "I": 1, "LA": 2, "RGB": 3}.get(mode.partition(";")[0], 4)
        self.bits = int(info.get("bit_depth", 8))
        self.dtype = np.dtype(np.uint16 if ";16" in mode else np.uint8)
        self.exif, _ = exif_of(path, "heic", info.get("exif"))
        if profile := info.get("icc_profile"):
            self.blobs["icc-profile-data"] = bytes(profile)
        if xmp := info.get("xmp"):
            self.blobs["xmp-data"] = upright_xmp(bytes(xmp))

    def _decoded(self) -> npt.NDArray[Any]:
        pixels = np.asarray(self._image)
        return whole_range(pixels, self.bits) if self.dtype == np.uint16 else pixels


def whole_range(pixels: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint16]:
    """Stretch values of which only the upper ``bits`` are used to 16 bits: white becomes 65535.

    Args:
        pixels: uint16, any shape.
        bits: of the source, 1 to 16.
    """
    if bits >= 16:
        return pixels
    most = (1 << bits) - 1
    upper = (pixels >> (16 - bits)).astype(np.uint32)
    stretched: npt.NDArray[np.uint16] = ((upper * 65535 + most // 2) // most).astype(np.uint16)
    return stretched


class RawImage(DecodedImage):
    """Develops camera raw by LibRaw, upright, to 16 bits of sRGB.

    With the camera's white balance and the exposure as taken (no automatic brightening).

    Args:
        path: the file.
        limit: megapixels; None for any number.

    Raises:
        TooLarge: more pixels than ``limit``.
        UserError: rawpy is not installed.
    """

    def __init__(self, path: Path, limit: float | None) -> None:
        super().__init__()
        self._package, self._path = needed("rawpy", "photo", "A camera raw file"), path
        with path.open("rb") as file, self._package.imread(file) as raw:
            sizes = raw.sizes
            self.height, self.width = sizes.iheight, sizes.iwidth
            if sizes.flip in (5, 6):  # rotated by 90 degrees
                self.height, self.width = self.width, self.height
            allow(path, sizes.raw_width, sizes.raw_height, limit)
        self.channels, self.dtype = 3, np.dtype(np.uint16)
        self.exif, _ = exif_of(path, "raw", None)

    def _decoded(self) -> npt.NDArray[Any]:
        with self._path.open("rb") as file, self._package.imread(file) as raw:
            developed: npt.NDArray[Any] = raw.postprocess(
                output_bps=16, use_camera_wb=True, no_auto_bright=True, gamma=SRGB
            )
            return developed
