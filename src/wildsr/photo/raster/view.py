"""Render measured values as pictures: gray or RGB of 8 or 16 bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wildsr.error import UserError
from wildsr.photo.raster.base import Range, Raster, Values
from wildsr.photo.raster.ranges import Wish, ranges, valid
from wildsr.photo.rows import Array


@dataclass(frozen=True)
class Sight:
    """How measured values are rendered as a picture.

    Attributes:
        bands: one or three, from 1; None takes red, green and blue if the file declares them, else
            the first.
        window: the values that become black and white; None takes the file's own.
    """

    bands: tuple[int, ...] | None = None
    window: Range | None = None


class View:
    """Renders a page of measured values as rows of integers: gray, RGB or false colours.

    Pixels that were not measured are transparent.

    Args:
        raster: the file.
        bands: one or three, from 1; None takes the bands that the file declares as red, green and
            blue, or else the first.
        window: the values that become black and white; None takes the file's own window, or
            the range of :func:`wildsr.photo.raster.ranges.ranges`.
        page: from 1.

    Attributes:
        height, width, channels, dtype: of the rows; uint8 for 8-bit values, else uint16.
        frames: pages of the file.
        resolution: None.

    Raises:
        UserError: bands or a page that the file does not have.
    """

    resolution = None

    def __init__(
        self,
        raster: Raster,
        bands: Sequence[int] | None = None,
        window: Wish = None,
        page: int = 1,
    ) -> None:
        if not 1 <= page <= len(raster.pages):
            raise UserError(f"`page` must be 1 to {len(raster.pages)}, but got {page}.")
        self.raster, self.page, kind = raster, page - 1, raster.pages[page - 1]
        self.height, self.width = kind.height, kind.width
        self.frames = len(raster.pages)
        if bands is None:
            first = next(band for band in range(kind.bands) if band != kind.alpha or band == 0)
            self.bands = list(kind.colour) or [first]
        else:
            self.bands = [band - 1 for band in bands]
        if len(self.bands) not in (1, 3) or not all(0 <= b < kind.bands for b in self.bands):
            raise UserError(
                f"`bands` must be one or three numbers from 1 to {kind.bands} for {raster.path}, "
                f"but got {[band + 1 for band in self.bands]}."
            )
        self.alpha = kind.alpha if kind.alpha not in self.bands else None
        missing = raster.missing(self.page)
        self.missing = [missing[band] for band in self.bands]
        holes = kind.dtype.kind == "f" or any(value is not None for value in self.missing)
        self.transparent = holes or self.alpha is not None
        self.channels = len(self.bands) + self.transparent
        self.dtype = np.dtype(np.uint8 if kind.dtype in (np.uint8, np.bool_) else np.uint16)
        if window is None and raster.shown(self.page) is not None:
            window = "window"
        self._window = window
        self._low: Any = None

    def read(self, count: int) -> Array:
        """The next ``count`` rows, (count, width, channels)."""
        if self._low is None:
            found, _ = ranges(self.raster, [self.page], self._window)
            self._low, self._high = found[self.page]
            self._rows = self.raster.rows(self.page)
        values = self._rows.read(count)
        most = 255 if self.dtype == np.uint8 else 65535
        seen = values[..., self.bands]
        low, high = self._low[self.bands], self._high[self.bands]
        with np.errstate(invalid="ignore"):
            unit: Values = ((seen.astype(np.float64) - low) / (high - low)).clip(0, 1)
        there = valid(seen, self.missing).all(-1)
        unit[~there] = 0
        unit = 1 - unit if self.raster.inverted else unit
        if self.transparent:
            alpha: Any = there.astype(np.float64)
            if self.alpha is not None:
                one = values[..., self.alpha].astype(np.float64)
                alpha = alpha * (one / self._high[self.alpha]).clip(0, 1)
            unit = np.concatenate([unit, alpha[..., None]], axis=-1)
        return np.rint(unit * most).astype(self.dtype)
