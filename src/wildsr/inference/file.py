"""Upscale a photo file into a file, which appears when it is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wildsr.atomic import Partial
from wildsr.error import UserError, unknown
from wildsr.inference.samples import by_samples, upscale_samples
from wildsr.inference.strips import strips
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.encode import DEEP, FORMATS, Encoder, Target
from wildsr.photo.rows import Ahead, Array, Rows
from wildsr.photo.stream import LIMIT, Photo
from wildsr.photo.unreadable import check_limit


@dataclass(frozen=True)
class Settings:
    """How results are written: size, format, quality and bit depth.

    Args:
        outscale: size of the result / size of the photo; None takes the network's scale.
        format: "png", "jpg", "webp", "tif"; None takes the photo's own (PNG for BMP and GIF), or
            for a single file the suffix of the result.
        quality: of JPEG and WebP, 1 to 100.
        depth: 8 or 16 bits; None keeps the photo's, where the format knows it.
        limit: megapixels of a photo that is read; None for any number.

    Raises:
        UserError: a value that none of them can have.
    """

    outscale: float | None = None
    format: str | None = None
    quality: int = 95
    depth: int | None = None
    limit: float | None = LIMIT

    def __post_init__(self) -> None:
        if self.outscale is not None and not 0 < self.outscale <= 64:
            raise UserError(f"Argument `outscale` must be in (0, 64], but got {self.outscale}.")
        if self.format is not None and self.format not in FORMATS:
            raise unknown("Argument `format`", self.format, FORMATS)
        if not 1 <= self.quality <= 100:
            raise UserError(f"Argument `quality` must be 1 to 100, but got {self.quality}.")
        if self.depth not in (None, 8, 16):
            raise UserError(f"Argument `depth` must be 8, 16 or null, but got {self.depth}.")
        check_limit(self.limit)

    @property
    def of_samples(self) -> tuple[float | None, int | None, float | None]:
        """What of it is for files that are upscaled as samples."""
        return self.outscale, self.depth, self.limit


def upscale_file(
    upscaler: Upscaler,
    source: Path | str,
    target: Path | str,
    settings: Settings | None = None,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> Path:
    """Upscale one photo into one file, which appears when it is complete.

    Args:
        upscaler: of :func:`wildsr.run.load.load_upscaler`.
        source: the photo.
        target: the result; an existing file is replaced.
        settings: how it is written; None for the defaults.
        progress: called with the pixels done and all of them; what it raises stops the work.

    Returns:
        ``target`` as a path.

    Raises:
        UnreadableImage: ``source`` is no image, or a damaged one.
        UserError: a size or format that cannot be, or ``target`` cannot be written.
    """
    settings, target, source = settings or Settings(), Path(target), Path(source)
    if by_samples(upscaler, source, settings.limit):
        upscale_samples(upscaler, source, target, *settings.of_samples)
        return target
    job = Upscaling(Photo(source, settings.limit), target, upscaler.scale, settings)
    job.compute(lambda rows, dtype: strips(upscaler, rows, dtype, progress, job.planned.dtype))
    job.finish()
    return target


class Upscaling:
    """An upscaling of one photo in progress: computed, then encoded.

    Others may be computed while it is encoded.

    Args:
        photo: read ahead from now on.
        target: the file; appears in :meth:`finish`.
        scale: of the network.
        settings: how it is written.

    Raises:
        UserError: a size or format that cannot be, or a folder that cannot be written to.
    """

    def __init__(self, photo: Photo, target: Path, scale: int, settings: Settings) -> None:
        self.photo, self.target = photo, target
        suffix = target.suffix.lower().removeprefix(".")
        chosen = settings.format or suffix or photo.kind
        if chosen not in FORMATS:
            raise unknown("Argument `format`", chosen, FORMATS)
        if FORMATS.get(suffix, FORMATS[chosen]) != FORMATS[chosen]:
            raise UserError(f"Argument `format` is {chosen!r}, but the result is called {target}.")
        self.planned = _plan(photo, scale, FORMATS[chosen], settings)
        self.size = (photo.width * scale, photo.height * scale)
        # Where it is still to be resized, 8 bits are made at the end.
        resized = self.size != (self.planned.width, self.planned.height)
        self.between = np.dtype(np.uint16) if resized else self.planned.dtype
        self.partial = Partial(target)
        self.encoder = Encoder(self.partial.path, self.size, self.planned, photo)
        self.rows = Ahead(photo)

    def compute(self, strips_of: Callable[[Rows, np.dtype[Any]], Iterable[Array]]) -> None:
        """Pass the strips of ``strips_of(rows, dtype)`` to the encoder."""
        try:
            self.encoder.take(strips_of(self.rows, self.between))
        except BaseException:
            self.abandon()
            raise
        self.rows.close()

    def finish(self) -> None:
        """Wait for the encoder, then give the file its name.

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
    deep = settings.depth == 16 or (settings.depth is None and photo.dtype == np.uint16)
    if settings.depth == 16 and format not in DEEP:
        raise UserError(f"Argument `depth`: {format} has 8 bits; png and tif know 16.")
    dtype = np.dtype(np.uint16 if deep and format in DEEP else np.uint8)
    sides = (max(round(side * factor), 1) for side in (photo.width, photo.height))
    width, height = sides
    return Target(format, width, height, settings.quality, dtype)
