"""BMP and GIF, which Pillow decodes at once: in memory of their own, as rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image

from wildsr.photo.rows import Array
from wildsr.photo.unreadable import allow

_PLUGINS = {"bmp": BmpImagePlugin.BmpImageFile, "gif": GifImagePlugin.GifImageFile}


class WholeImage:
    """A decoded image as rows; only those that are asked for are turned into RGB.

    Opened by its decoder and not by ``Image.open``, whose limit of pixels is one for the process.

    Args:
        path: the file.
        format: "bmp" or "gif".
        limit: megapixels; None for any number.

    Attributes:
        resolution: pixels per millimetre across and down, None where the file says nothing.
        frames: of an animation.

    Raises:
        TooLarge: more pixels than ``limit``.
    """

    def __init__(self, path: Path, format: str, limit: float | None) -> None:
        with path.open("rb") as file, _PLUGINS[format](file, str(path)) as image:
            reach = [tile.extents for tile in image.tile if tile.extents]
            # A frame of a GIF may be larger than its screen.
            self.width = max([image.width, *(box[2] for box in reach)])
            self.height = max([image.height, *(box[3] for box in reach)])
            allow(path, self.width, self.height, limit)
            image.load()
            across, down = image.info.get("dpi", (0, 0))
            self.resolution = (across / 25.4, down / 25.4) if across and down else None
            self._image = image.copy()
            if "transparency" in image.info:
                self._image.info["transparency"] = image.info["transparency"]
            self.frames = _frames(image)
        self.width, self.height = self._image.size
        gray = self._image.mode in ("1", "L")
        self._mode = "RGBA" if self._image.has_transparency_data else "L" if gray else "RGB"
        self._row = 0
        self.channels = {"RGBA": 4, "RGB": 3, "L": 1}[self._mode]

    def read(self, count: int) -> Array:
        """The next ``count`` rows, (count, width, channels) of uint8."""
        box = (0, self._row, self.width, self._row + count)
        part = Image.Image.crop(self._image, box).convert(self._mode)
        self._row += count
        return np.array(part, np.uint8).reshape(count, self.width, self.channels)


def _frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a damaged later frame says nothing about the first
        return 2
