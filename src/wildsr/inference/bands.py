"""Stream pages of any number of bands through an upscaler of one, three or N channels.

A network sees each band's range as 0 to 1. Values outside are not lost: the excess is upscaled by
linear interpolation and added to the network's result. Missing values (NaN, or a file's nodata
value) are treated as transparent: the network sees values of measured pixels extended 15 pixels
into them, and in the result the same places are missing again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from wildsr.photo.raster.base import PageRows, Values
from wildsr.photo.raster.ranges import valid
from wildsr.photo.rows import Array, Rows

Floats = npt.NDArray[np.float32]
Strips = Callable[[Rows, np.dtype[Any]], Iterable[Array]]
FLOAT = np.dtype(np.float32)


@dataclass(frozen=True)
class Look:
    """How the bands of a page are passed to the network.

    Attributes:
        bands: the bands to upscale, from 0, in this order; without alpha.
        groups: indices into ``bands`` of bands that pass the network together.
        low, high: of every band of the page; seen by the network as 0 and 1.
        missing: for every band of the page, the value that marks missing data, or None.
        alpha: the index of the alpha band, or None.
        cut: whether the result is clipped to the ranges.
    """

    bands: list[int]
    groups: list[list[int]]
    low: Values
    high: Values
    missing: list[float | None]
    alpha: int | None = None
    cut: bool = False

    @property
    def masked(self) -> bool:
        """Whether any of the bands has a value that marks missing data."""
        return any(self.missing[band] is not None for band in self.bands)


@dataclass
class Strip:
    """Some rows of a result.

    Attributes:
        unit: (h, w, bands), 0 at a band's low and 1 at its high; alpha last, if there is any.
        kept: (h, w, bands) in the source's type: values of the nearest pixel, for missing data.
        there: (h, w, bands), False for missing data; None if nothing is missing.
    """

    unit: Floats
    kept: Values | None = None
    there: npt.NDArray[np.bool_] | None = None


def upscaled(rows: PageRows, look: Look, scale: int, strips_of: Strips) -> Iterator[Strip]:
    """Upscale a page from top to bottom.

    Args:
        rows: of the page; read once.
        look: how its bands are passed to the network.
        scale: of the upscaler.
        strips_of: ``strips(upscaler, rows, dtype)`` of :mod:`wildsr.inference.strips`.

    Yields:
        Strips of (some rows, scale * width).
    """
    shared = _Shared(rows)
    place = shared.reader()  # of the rows that are being put together
    streams = [
        _Even(iter(strips_of(_Group(rows, shared, look, group), FLOAT))) for group in look.groups
    ]
    done = 0
    while done < rows.height:
        first = streams[0].some()
        parts = [first, *(stream.take(len(first)) for stream in streams[1:])]
        count = len(first) // scale
        seen = shared.get(max(done - 1, 0), min(done + count + 1, rows.height))
        yield _joined(parts, seen, done, count, rows, look, scale)
        done += count
        shared.forget(place, max(done - 1, 0))


def _joined(
    parts: list[Floats],
    seen: Values,
    done: int,
    count: int,
    rows: PageRows,
    look: Look,
    scale: int,
) -> Strip:
    """One strip of all bands, with the parts outside of their ranges and the unmeasured pixels."""
    bands = len(look.bands)
    unit = np.empty((*parts[0].shape[:2], bands + (look.alpha is not None)), np.float32)
    for part, group in zip(parts, look.groups, strict=True):
        unit[..., group] = part[..., : len(group)]
    if look.alpha is not None:
        unit[..., bands] = parts[0][..., -1]
    above = done - max(done - 1, 0)  # rows of `seen` before the strip
    values = seen[..., look.bands]
    there = valid(values, [look.missing[band] for band in look.bands])
    low, high = look.low[look.bands], look.high[look.bands]
    outside = there & ((values < low) | (values > high))
    if outside.any() and not look.cut:
        wide = values.astype(np.float64)
        beyond = np.where(outside, wide - wide.clip(low, high), 0) / (high - low)
        below = len(seen) - above - count
        unit[..., :bands] += _linear(beyond.astype(np.float32), 1 - above, 1 - below, scale)
    here = slice(above, above + count)
    if there[here].all():
        return Strip(unit)
    whole = there[here].copy()
    for group in look.groups:  # a colour with a missing part is missing as a whole
        whole[..., group] = whole[..., group].all(-1, keepdims=True)
    grown = [part.repeat(scale, axis=0).repeat(scale, axis=1) for part in (values[here], whole)]
    return Strip(unit, grown[0], grown[1])


def _linear(image: Floats, above: int, below: int, scale: int) -> Floats:
    """Enlarge rows linearly, without their first and last one, which are the neighbours'.

    Args:
        image: (h, w, bands).
        above: 1 where the image begins: its first row is repeated; else 0.
        below: 1 where it ends.
        scale: the factor.
    """
    padded = np.pad(image, ((above, below), (1, 1), (0, 0)), mode="edge")
    tensor = torch.from_numpy(padded).permute(2, 0, 1)[None]
    large = F.interpolate(tensor, scale_factor=scale, mode="bilinear", align_corners=False)
    inner = large[0, :, scale:-scale, scale:-scale]
    return np.ascontiguousarray(inner.permute(1, 2, 0).numpy())


class _Shared:
    """Rows that several readers read, each once; those that all have read are forgotten."""

    def __init__(self, rows: PageRows) -> None:
        self.rows, self.first, self.known = rows, 0, 0
        self.held: list[Values] = []
        self.places: list[int] = []

    def reader(self) -> int:
        """Add a reader, which begins at the first row, and return its number."""
        self.places.append(0)
        return len(self.places) - 1

    def get(self, first: int, last: int) -> Values:
        """Rows ``first`` to ``last``, none of which has been forgotten."""
        if last > self.known:
            self.held.append(self.rows.read(last - self.known))
            self.known = last
        if len(self.held) > 1:
            self.held = [np.concatenate(self.held)]
        return self.held[0][first - self.first : last - self.first]

    def forget(self, reader: int, first: int) -> None:
        """A reader needs no rows before ``first`` any more."""
        self.places[reader] = first
        least = min(self.places)
        if least > self.first and self.held:
            self.held = [np.concatenate(self.held)[least - self.first :].copy()]
            self.first = least


class _Group:
    """Some bands of a page as rows of floats in [0, 1]; the last one is alpha, where need be."""

    def __init__(self, rows: PageRows, shared: _Shared, look: Look, group: list[int]) -> None:
        self.height, self.width, self.dtype = rows.height, rows.width, FLOAT
        self._rows, self._shared, self._look, self._group = rows, shared, look, group
        self._row, self._reader = 0, shared.reader()
        self._bands = [look.bands[place] for place in group]
        missing = any(look.missing[band] is not None for band in self._bands)
        self._alpha = missing or rows.dtype.kind == "f" or look.alpha is not None
        self.channels = len(group) + self._alpha

    def read(self, count: int) -> Any:
        """The next ``count`` rows, (count, width, channels)."""
        seen = self._shared.get(self._row, self._row + count)
        self._row += count
        look, bands = self._look, self._bands
        values = seen[..., bands]
        low, high = look.low[bands], look.high[bands]
        kind = np.float32 if values.dtype.itemsize <= 2 else np.float64
        with np.errstate(invalid="ignore"):
            unit: Values = (values.astype(kind) - low.astype(kind)) / (high - low).astype(kind)
        unit = unit.clip(0, 1).astype(np.float32)
        if self._alpha:
            there = valid(values, [look.missing[band] for band in bands]).all(-1)
            unit[~there] = 0
            alpha: Any = there.astype(np.float32)
            if look.alpha is not None:
                one = look.alpha
                opaque = (seen[..., one] - look.low[one]) / (look.high[one] - look.low[one])
                alpha *= opaque.clip(0, 1).astype(np.float32)
            unit = np.concatenate([unit, alpha[..., None]], axis=-1)
        self._shared.forget(self._reader, self._row)
        return unit

    def again(self) -> Rows:
        """The same bands from their first row."""
        rows = self._rows.again()
        return _Group(rows, _Shared(rows), self._look, self._group)


class _Even:
    """A stream of strips, of which any number of rows can be taken."""

    def __init__(self, strips: Iterator[Array]) -> None:
        self.strips = strips
        self.rest: Any = None

    def some(self) -> Any:
        """The next rows, as many as come."""
        part, self.rest = (next(self.strips) if self.rest is None else self.rest), None
        return part

    def take(self, count: int) -> Any:
        """The next ``count`` rows."""
        parts: list[Any] = []
        while count > 0:
            part = self.some()
            parts.append(part[:count])
            self.rest = part[count:] if len(part) > count else None
            count -= len(parts[-1])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
