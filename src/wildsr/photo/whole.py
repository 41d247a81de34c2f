"""Read BMP and GIF, which Pillow decodes in memory as a whole, row by row."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image

from wildsr.photo.rows import Array
from wildsr.photo.unreadable import allow

_PLUGINS = {"bmp": BmpImagePlugin.BmpImageFile, "gif": GifImagePlugin.GifImageFile}


class WholeImage:
    """Reads the rows of a decoded image; only requested rows are converted to RGB.

    Pillow's decoder is called directly and not by ``Image.open``, whose limit of pixels applies to
    the whole process.

    Args:
        path: the file.
        format: "bmp" or "gif".
        limit: megapixels; None for any number.

    Attributes:
        resolution: pixels per millimetre (horizontal, vertical); None if the file does not tell.
        frames: of an animation.

    Raises:
        TooLarge: more pixels than ``limit``.
        ValueError: a GIF that ends before its first picture.
    """

    def __init__(self, path: Path, format: str, limit: float | None) -> None:
        if format == "gif":
            allow(path, *gif_size(path), limit)
        with path.open("rb") as file, _PLUGINS[format](file, str(path)) as image:
            allow(path, image.width, image.height, limit)
            image.load()
            across, down = image.info.get("dpi", (0, 0))
            self.resolution = (across / 25.4, down / 25.4) if across and down else None
            self._image = image.copy()
            self.frames = _frames(image)
        self.width, self.height = self._image.size
        gray = self._image.mode in ("1", "L")
        self.dtype = np.dtype(np.uint8)
        self._mode = "RGBA" if self._image.has_transparency_data else "L" if gray else "RGB"
        self._row = 0
        self.channels = {"RGBA": 4, "RGB": 3, "L": 1}[self._mode]

    def read(self, count: int) -> Array:
        """The next ``count`` rows, (count, width, channels) of uint8."""
        box = (0, self._row, self.width, self._row + count)
        part = Image.Image.crop(self._image, box).convert(self._mode)
        self._row += count
        return np.array(part, np.uint8).reshape(count, self.width, self.channels)


def gif_size(path: Path) -> tuple[int, int]:
    """The (width, height) that a GIF's screen and first frame cover, by its blocks (GIF89a, 20).

    Raises:
        ValueError: it ends before its first frame.
    """
    with path.open("rb") as file:
        head = file.read(13)
        if len(head) == 13:
            width, height, packed = struct.unpack("<HHB", head[6:11])
            file.seek(3 * 2 ** ((packed & 7) + 1) if packed & 0x80 else 0, 1)
            while (kind := file.read(1)) == b"!":  # extensions
                file.seek(1, 1)
                while (size := file.read(1)) not in (b"", b"\0"):
                    file.seek(size[0], 1)
            frame = file.read(8)
            if kind == b"," and len(frame) == 8:
                left, top, across, down = struct.unpack("<HHHH", frame)
                return max(width, left + across), max(height, top + down)
    raise ValueError("it ends before its first picture, or its beginning is damaged")


def _frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a damaged later frame says nothing about the first
        return 2
