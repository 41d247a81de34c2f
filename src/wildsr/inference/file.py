"""One photo to another file: the whole way, with nothing half-written under the final name."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from wildsr.error import UserError, unknown
from wildsr.inference.encode import DEEP, FORMATS, Target, encode
from wildsr.inference.photo import Photo
from wildsr.inference.strips import strips
from wildsr.inference.upscaler import Upscaler

LIMIT = 200.0  # megapixels of a photo that is read


@dataclass(frozen=True)
class Settings:
    """How results are written.

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
        if self.limit is not None and not self.limit > 0:
            raise UserError(f"Argument `limit` must be positive, but got {self.limit}.")


def upscale_file(
    upscaler: Upscaler,
    source: Path | str,
    target: Path | str,
    settings: Settings | None = None,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> Path:
    """Upscale one photo into one file, which appears when it is complete.

    Args:
        upscaler: of :func:`wildsr.inference.upscaler.load`.
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
    settings, target = settings or Settings(), Path(target)
    photo = Photo(source, settings.limit)
    format = FORMATS[settings.format or target.suffix.lower().removeprefix(".") or photo.kind]
    planned = plan(photo, upscaler.scale, format, settings)
    size = (photo.width * upscaler.scale, photo.height * upscaler.scale)
    # Where it is still to be resized, 8 bits are made at the end.
    between = planned.dtype if size == (planned.width, planned.height) else np.dtype(np.uint16)
    with appearing(target) as partial:
        rows = strips(upscaler, photo, between, progress)
        encode(rows, partial, size, planned, photo)
    return target


def plan(photo: Photo, scale: int, format: str, settings: Settings) -> Target:
    """The size, depth and format of a result."""
    factor = settings.outscale or scale
    deep = settings.depth == 16 or (settings.depth is None and photo.dtype == np.uint16)
    if settings.depth == 16 and format not in DEEP:
        raise UserError(f"Argument `depth`: {format} has 8 bits; png and tif know 16.")
    dtype = np.dtype(np.uint16 if deep and format in DEEP else np.uint8)
    sides = (max(round(side * factor), 1) for side in (photo.width, photo.height))
    width, height = sides
    return Target(format, width, height, settings.quality, dtype)


@contextlib.contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A file beside ``target`` to write to, which becomes ``target`` if all goes well.

    Left-overs of processes that were killed are removed.

    Raises:
        UserError: the folder cannot be written to.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target)
        partial.touch()
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}.") from error
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)


def sweep(target: Path) -> None:
    """Remove what processes that no longer run have left of ``target``."""
    ours = re.compile(re.escape(f".{target.name}.") + r"(\d+)\.part")
    for path in target.parent.iterdir():
        found = ours.fullmatch(path.name)
        if found and not _alive(int(found.group(1))):
            path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    return bool(psutil.pid_exists(process)) and process != os.getpid()
