"""Upscalers for the page: a choice of them, whole photos in and out, close looks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wildsr.error import UserError, unknown
from wildsr.inference.file import Settings, upscale_file
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.formats import format_of
from wildsr.photo.image import Pixels, read_image
from wildsr.photo.raster.base import Raster
from wildsr.photo.raster.open import open_plainly, open_raster
from wildsr.photo.raster.view import Sight
from wildsr.photo.stream import LOADERS, Photo
from wildsr.photo.unreadable import readable
from wildsr.photo.vips import pyvips

VIEW = 720  # pixels a side of a close look
OVERVIEW = 900  # pixels of the longer side of a whole photo on the page
FACTORS = (1, 1.5, 2, 3, 4, 8)
ZOOMS = (1, 2, 4, 8)
STRENGTHS = (0, 0.25, 0.5, 0.75, 1)  # of the slider


@dataclass(frozen=True)
class Result:
    """An upscaled photo.

    Attributes:
        path: the file, with the photo's metadata.
        size: (width, height) of the photo.
        larger: (width, height) of the result.
        seconds: duration.
    """

    path: Path
    size: tuple[int, int]
    larger: tuple[int, int]
    seconds: float


class Studio:
    """Upscalers by name, each loaded at its first use; one photo is upscaled at a time.

    Args:
        loaders: name -> function that loads the upscaler.
        limit: megapixels of a photo.
        finished: name -> default strength, for upscalers with a finish; their loaders take a
            strength.
        sight: how files of measured values are rendered.
    """

    def __init__(
        self,
        loaders: Mapping[str, Callable[..., Upscaler]],
        limit: float,
        finished: Mapping[str, float] | None = None,
        sight: Sight | None = None,
    ) -> None:
        self.sight = sight or Sight()
        self.loaders, self.limit = dict(loaders), limit
        self.finished = dict(finished or {})
        self._loaded: dict[tuple[str, float | None], Upscaler] = {}
        self._one = threading.Lock()

    def upscaler(self, name: str, strength: float | None = None) -> Upscaler:
        """The upscaler of this name, at this strength if it has a finish.

        Raises:
            UserError: there is none, or it cannot be loaded.
        """
        if name not in self.loaders:
            raise unknown("The upscaler", name, self.loaders)
        if name not in self.finished:
            strength = None
        elif strength is None:
            strength = self.finished[name]
        if (name, strength) not in self._loaded:
            chosen = {} if strength is None else {"strength": strength}
            self._loaded[name, strength] = self.loaders[name](**chosen)
        return self._loaded[name, strength]

    def factors(self, name: str) -> list[float]:
        """The factors by which an upscaler can enlarge: up to its own scale.

        Raises:
            UserError: it cannot be loaded.
        """
        loaded = [upscaler for (known, _), upscaler in self._loaded.items() if known == name]
        if loaded:  # without waiting for a photo that is being upscaled
            scale = loaded[0].scale
        else:
            with self._one:
                scale = self.upscaler(name).scale
        return [factor for factor in FACTORS if factor <= scale]

    def look(self, path: Path) -> tuple[int, int]:
        """(width, height) of a photo that may be upscaled.

        Raises:
            UserError: no image, a damaged one, or one that is too large.
        """
        photo = Photo(path, self.limit)
        return photo.width, photo.height

    def room(self, path: Path, factor: float) -> int:
        """Upper bound of the bytes of a result: its pixels without compression.

        Raises:
            UserError: as :meth:`look`.
        """
        photo, measured = Photo(path, self.limit), self._measured(path)
        room = photo.width * photo.height * photo.channels * photo.dtype.itemsize
        if measured is not None:
            room = sum(p.height * p.width * p.bands * p.dtype.itemsize for p in measured.pages)
        return int(room * factor**2 * 1.1) + 2**20

    def _measured(self, path: Path) -> Raster | None:
        with readable(path):
            return open_raster(path, format_of(path), self.limit)

    def upscale(
        self,
        path: Path,
        name: str,
        factor: float,
        folder: Path,
        progress: Callable[[int, int], None] = lambda done, all: None,
        strength: float | None = None,
    ) -> Result:
        """Upscale a photo into ``folder``, under its name with the factor.

        Args:
            path: the photo.
            name: of the upscaler.
            factor: size of the result / size of the photo, at most the upscaler's.
            folder: created if need be; its parent exists. Used by this photo's visitor only.
            progress: called with the output pixels done and their total.
            strength: of the finish, if the upscaler has one; None for its default.

        Raises:
            UserError: the photo cannot be read or is too large, an unknown upscaler, or a factor
                above its scale.
        """
        size = self.look(path)
        with self._one:
            upscaler = self.upscaler(name, strength)
            if not 0 < factor <= upscaler.scale:
                raise UserError(f"{name} enlarges by {upscaler.scale} at most, not by {factor}.")
            begun = time.perf_counter()
            measured = self._measured(path)
            kind = Photo(path, self.limit).kind if measured is None else measured.suffix
            folder.mkdir(exist_ok=True)
            target = folder / f"{path.stem}_{factor:g}x.{kind}"
            settings = Settings(outscale=factor, limit=self.limit)
            upscale_file(upscaler, path, target, settings, progress)
            seconds = time.perf_counter() - begun
        larger = Photo(target, None)
        return Result(target, size, (larger.width, larger.height), seconds)


def overview(path: Path, sight: Sight | None = None) -> Pixels:
    """A whole photo as RGB, uint8 (h, w, 3), at most ``OVERVIEW`` pixels a side."""
    image, _owner = _plain(path, sight)
    factor = min(1.0, OVERVIEW / max(image.width, image.height))
    small: Pixels = np.asarray(image.resize(factor) if factor < 1 else image)
    return np.ascontiguousarray(small)


def close_look(
    photo: Path,
    result: Path,
    centre: tuple[float, float],
    zoom: int,
    sight: Sight | None = None,
) -> tuple[Pixels, Pixels]:
    """The same region of a photo and its result, each pixel of the result ``zoom`` pixels wide.

    The photo is enlarged by bicubic interpolation, as it would be without an upscaler.

    Args:
        photo: the file.
        result: of :meth:`Studio.upscale`.
        centre: (x, y) in [0, 1] of the photo's width and height.
        zoom: screen pixels per pixel of the result.
        sight: how files of measured values are rendered.

    Returns:
        Two uint8 arrays of equal size, (h, w, 3), at most ``VIEW`` a side.
    """
    (before, _owner), (after, _others) = _plain(photo, sight), _plain(result, sight)
    side = max(VIEW // zoom, 1)
    width, height = min(side, after.width), min(side, after.height)
    left = _start(centre[0], width, after.width)
    top = _start(centre[1], height, after.height)
    sharp = np.asarray(after.crop(left, top, width, height))
    # A little more of the photo than is shown, so that interpolation sees across the edge.
    across, down = before.width / after.width, before.height / after.height
    box = (left * across, top * down, (left + width) * across, (top + height) * down)
    x0, y0 = max(int(box[0]) - 4, 0), max(int(box[1]) - 4, 0)
    x1, y1 = min(int(box[2]) + 5, before.width), min(int(box[3]) + 5, before.height)
    part = Image.fromarray(np.asarray(before.crop(x0, y0, x1 - x0, y1 - y0)))
    inner = (box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0)
    plain = np.asarray(part.resize((width, height), Image.Resampling.BICUBIC, box=inner))
    return _enlarged(plain, zoom), _enlarged(sharp, zoom)


def _start(centre: float, side: int, whole: int) -> int:
    return int(min(max(round(centre * whole) - side // 2, 0), whole - side))


def _enlarged(pixels: Pixels, zoom: int) -> Pixels:
    return np.ascontiguousarray(pixels.repeat(zoom, axis=0).repeat(zoom, axis=1))


def _plain(path: Path, sight: Sight | None) -> tuple[Any, Any]:
    """A file as 8-bit RGB for a screen, upright, on white; and the memory that it borrows."""
    with path.open("rb") as file:
        begin = file.read(4)
    with readable(path):
        format = format_of(path)
        measured = open_plainly(path, format, None) is not None
    pixels: Any = None
    if measured or format in ("heic", "raw"):
        pixels = read_image(path, None, sight)
        image = pyvips.Image.new_from_array(pixels)
    elif begin.startswith((b"BM", b"GIF8")):  # which libvips does not read
        with Image.open(path, formats=("BMP", "GIF")) as opened:
            pixels = np.asarray(opened.convert("RGBA" if opened.has_transparency_data else "RGB"))
        image = pyvips.Image.new_from_array(pixels)
    else:
        # A source and no file name: libvips would read brackets in a name as options.
        source = pyvips.Source.new_from_file(os.fsencode(path))
        image = pyvips.Image.new_from_source(source, "", access="random", fail_on="truncated")
        if image.get("vips-loader").removesuffix("_source") not in LOADERS.values():
            raise UserError(f"{path} is no photo of a kind that can be shown.")
        image = image.autorot()
    image = image.colourspace("srgb").cast("uchar")
    image = image.flatten(background=255) if image.hasalpha() else image
    return image, pixels
