"""Resize strips of a result: antialiased Lanczos, with missing data left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from wildsr.inference.bands import Floats, Strip

LOBES = 3  # of the filter, in pixels of the coarser grid
ROWS = 64  # rows of the result at a time


def resized(
    strips: Iterator[Strip], size: tuple[int, int], wanted: tuple[int, int]
) -> Iterator[Strip]:
    """Resize a stream of strips.

    Args:
        strips: from top to bottom.
        size: (width, height) of them together.
        wanted: (width, height) of the result.

    Yields:
        Strips of the result, top to bottom.
    """
    if size == wanted:
        yield from strips
        return
    (width, height), (across, down) = size, wanted
    factor = height / down
    reach = LOBES * max(factor, 1) + 1
    held, first, known = _Held(), 0, 0
    for top in range(0, down, ROWS):
        bottom = min(top + ROWS, down)
        low = max(int(np.floor(top * factor - reach)), 0)
        high = min(int(np.ceil(bottom * factor + reach)), height)
        while known < high:
            strip = next(strips)
            held.add(strip)
            known += len(strip.unit)
        held.forget(low - first)
        first = low
        box = (0.0, top * factor - first, float(width), bottom * factor - first)
        nearest = ((np.arange(top, bottom) + 0.5) * factor).astype(int).clip(0, height - 1) - first
        columns = ((np.arange(across) + 0.5) * (width / across)).astype(int).clip(0, width - 1)
        yield held.part(high - first, (across, bottom - top), box, nearest, columns)


class _Held:
    """Rows of strips that are needed now."""

    def __init__(self) -> None:
        self.strips: list[Strip] = []

    def add(self, strip: Strip) -> None:
        """The next rows."""
        self.strips.append(strip)

    def forget(self, count: int) -> None:
        """Leave out the first rows."""
        while self.strips and count >= len(self.strips[0].unit):
            count -= len(self.strips.pop(0).unit)
        if count > 0:
            one = self.strips[0]
            kept = None if one.kept is None else one.kept[count:]
            there = None if one.there is None else one.there[count:]
            self.strips[0] = Strip(one.unit[count:], kept, there)

    def part(
        self,
        rows: int,
        size: tuple[int, int],
        box: tuple[float, float, float, float],
        nearest: npt.NDArray[np.int_],
        columns: npt.NDArray[np.int_],
    ) -> Strip:
        """A part of the result, made of the first ``rows`` rows."""
        unit = np.concatenate([strip.unit for strip in self.strips])[:rows]
        holes = next((strip for strip in self.strips if strip.there is not None), None)
        if holes is None or holes.kept is None:
            return Strip(_lanczos(unit, size, box))
        full = unit.shape[:2]
        there = np.concatenate([_or_true(strip, holes) for strip in self.strips])[:rows]
        kept = np.concatenate([_or_zero(strip, holes) for strip in self.strips])[:rows]
        bands = there.shape[2]
        weight = np.ones(unit.shape, np.float32)
        weight[..., :bands] = there
        mass = _lanczos(weight, size, box)
        made: Any = _lanczos(np.where(weight > 0, unit, 0), size, box) / np.where(
            mass > 0.1, mass, 1
        )
        # Where nearly everything is missing the weights are unreliable: take the nearest pixel.
        where = np.ix_(nearest, columns)
        made = np.where(mass > 0.1, made, unit[where]).astype(np.float32)
        assert full == there.shape[:2]
        return Strip(made, kept[where], there[where])


def _or_true(strip: Strip, like: Strip) -> npt.NDArray[np.bool_]:
    assert like.there is not None
    return (
        np.ones((*strip.unit.shape[:2], like.there.shape[2]), bool)
        if strip.there is None
        else (strip.there)
    )


def _or_zero(strip: Strip, like: Strip) -> npt.NDArray[np.generic]:
    assert like.kept is not None
    shape = (*strip.unit.shape[:2], like.kept.shape[2])
    return np.zeros(shape, like.kept.dtype) if strip.kept is None else strip.kept


def _lanczos(
    image: Floats, size: tuple[int, int], box: tuple[float, float, float, float]
) -> Floats:
    made = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(image[..., band])).resize(
                size, Image.Resampling.LANCZOS, box=box
            )
        )
        for band in range(image.shape[2])
    ]
    return np.stack(made, axis=-1).astype(np.float32, copy=False)
