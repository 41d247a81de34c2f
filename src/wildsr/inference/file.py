"""Upscale a photo file into a file, which appears when it is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from wildsr.atomic import Partial
from wildsr.error import UserError, unknown
from wildsr.inference.raster import RasterUpscaling, own_range
from wildsr.inference.settings import Settings
from wildsr.inference.strips import strips
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.encode import DEEP, FORMATS, MEASURED, Encoder, Target
from wildsr.photo.formats import format_of
from wildsr.photo.raster.base import Raster
from wildsr.photo.raster.open import open_raster
from wildsr.photo.raster.tiff import TiffRaster
from wildsr.photo.rows import Ahead, Array, Rows
from wildsr.photo.samples import Range
from wildsr.photo.sensor import Ranged, Sensor, values_of
from wildsr.photo.stream import Photo
from wildsr.photo.unreadable import readable


def upscale_file(
    upscaler: Upscaler,
    source: Path | str,
    target: Path | str,
    settings: Settings | None = None,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> Path:
    """Upscale one photo into one file, which appears when it is complete.

    Args:
        upscaler: from :func:`wildsr.run.load.load_upscaler`.
        source: the photo.
        target: the result; an existing file is replaced.
        settings: how it is written; None for the defaults.
        progress: called with the pixels done and in all; an exception it raises stops the work.

    Returns:
        ``target`` as a path.

    Raises:
        UnreadableImage: ``source`` is not an image, or is damaged.
        UserError: an invalid size or format, or ``target`` cannot be written.
    """
    settings, target = settings or Settings(), Path(target)
    job = begin(upscaler, Path(source), target, settings)
    job.compute(lambda rows, dtype: strips(upscaler, rows, dtype, progress, job.planned.dtype))
    job.finish()
    return target


def begin(
    upscaler: Upscaler, source: Path, target: Path, settings: Settings
) -> Upscaling | RasterUpscaling:
    """Open a photo, or a file of measured values, to be upscaled.

    Raises:
        UnreadableImage: ``source`` is not an image, or is damaged.
        UserError: an invalid size, format, page or choice of bands.
    """
    opened = open_source(source, upscaler.sensor, settings.limit)
    if isinstance(opened, Raster):
        return RasterUpscaling(opened, target, upscaler, settings)
    span = None if opened.channels in (2, 4) else own_range(upscaler.sensor, opened.dtype)
    return Upscaling(opened, target, upscaler.scale, settings, span)


def open_source(
    source: Path, sensor: Sensor, limit: float | None, side: str = "lr"
) -> Raster | Photo:
    """Open a file with all that it carries: of measured values, or an ordinary photo.

    Args:
        source: the file.
        sensor: of the training; where it has a range of its own, TIFFs are measured values.
        limit: megapixels; None for any number.
        side: whose range that is, "lr" or "hr".

    Raises:
        UnreadableImage: no image, or a damaged one.
    """
    with readable(source):
        format = format_of(source)
        raster = open_raster(source, format, limit)
        ranged = (sensor.lr if side == "lr" else sensor.hr) is not None
        if raster is None and format == "tiff" and ranged:
            raster = TiffRaster(source, limit)
    return Photo(source, limit) if raster is None else raster


class Upscaling:
    """The upscaling of one photo in progress: computed, then encoded.

    The next photo can be computed while this one is encoded.

    Args:
        photo: read ahead from now on.
        target: the file; appears in :meth:`finish`.
        scale: of the network.
        settings: how it is written.
        span: values of black and white, if they are not those of the photo's type.

    Raises:
        UserError: an invalid size or format, or a folder that cannot be written to.
    """

    def __init__(
        self,
        photo: Photo,
        target: Path,
        scale: int,
        settings: Settings,
        span: Range | None = None,
    ) -> None:
        self.photo, self.target = photo, target
        suffix = target.suffix.lower().removeprefix(".")
        chosen = settings.format or suffix or photo.kind
        if chosen not in FORMATS:
            raise unknown("Argument `format`", chosen, FORMATS)
        if FORMATS.get(suffix, FORMATS[chosen]) != FORMATS[chosen]:
            raise UserError(f"Argument `format` is {chosen!r}, but the result is called {target}.")
        self.planned = _plan(photo, scale, FORMATS[chosen], settings)
        self.size = (photo.width * scale, photo.height * scale)
        # If it is resized afterwards, rounding to 8 bits comes last.
        resized = self.size != (self.planned.width, self.planned.height)
        self.between = np.dtype(np.uint16) if resized else self.planned.dtype
        self.partial = Partial(target)
        self.encoder = Encoder(self.partial.path, self.size, self.planned, photo)
        self.rows: Ahead | Ranged = Ahead(photo)
        self.span, self.kept = span, self.between
        if span is not None:
            self.rows, self.between = Ranged(self.rows, span), np.dtype(np.float32)

    @property
    def alike(self) -> object:
        """A key that is equal for photos that can be computed in one batch."""
        rows = self.rows
        size = (rows.height, rows.width, rows.channels)
        return (*size, rows.dtype, self.between, self.planned.dtype)

    def compute(self, strips_of: Callable[[Rows, np.dtype[Any]], Iterable[Array]]) -> None:
        """Pass the strips of ``strips_of(rows, dtype)`` to the encoder."""
        try:
            made = strips_of(self.rows, self.between)
            if self.span is not None:
                span, kind = self.span, self.kept
                made = (values_of(strip, span, kind) for strip in made)
            self.encoder.take(made)
        except BaseException:
            self.abandon()
            raise
        self.rows.close()

    def finish(self) -> None:
        """Wait for the encoder, then give the file its final name.

        Raises:
            UserError: it cannot be written.
        """
        try:
            self.encoder.finish()
        except BaseException:
            self.partial.discard()
            raise
        self.partial.keep()

    def abandon(self) -> None:
        """Stop, and remove what was written."""
        self.rows.close()
        self.encoder.abandon()
        self.partial.discard()


def _plan(photo: Photo, scale: int, format: str, settings: Settings) -> Target:
    """The size, depth and format of a result."""
    factor = settings.outscale or scale
    if format in MEASURED:
        pictures = [name for name in dict.fromkeys(FORMATS.values()) if name not in MEASURED]
        raise UserError(
            f"Argument `format`: {format} holds measured values, but {photo.path.name} is an "
            f"ordinary photo, which can become {', '.join(pictures)}."
        )
    if settings.depth == "float":
        raise UserError(
            f"Argument `depth`: {photo.path.name} is an ordinary photo, whose result has 8 or 16 "
            "bits; floats are for files of measured values (TIFF of floats, GeoTIFF, DICOM, npy)."
        )
    deep = settings.depth == 16 or (settings.depth is None and photo.dtype == np.uint16)
    if settings.depth == 16 and format not in DEEP:
        raise UserError(f"Argument `depth`: {format} has 8 bits; png and tif know 16.")
    dtype = np.dtype(np.uint16 if deep and format in DEEP else np.uint8)
    sides = (max(round(side * factor), 1) for side in (photo.width, photo.height))
    width, height = sides
    return Target(format, width, height, settings.quality, dtype)
