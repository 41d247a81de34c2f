"""Estimate chroma subsampling and quantisation from a photo's pixels."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from wildsr.forensics.coding import chroma_unit
from wildsr.forensics.grid import BLOCKS, ROUNDING, Found, table_of
from wildsr.forensics.lattice import BLOCK, Array
from wildsr.forensics.planes import Planes, blocks

AHEAD = 20.0  # nats of log-likelihood by which a subsampling must lead over the next one
LOUDER = 1.25  # gain of rounding errors' power by one direction of the inverse triangle filter


def read_chroma(planes: Planes, luma: Found) -> tuple[str, Found] | None:
    """Estimate the chroma subsampling and table; None for gray photos or too little evidence.

    Each of the four common subsamplings is inverted, at each grid offset it could have: for the
    right one the DCT coefficients of both chroma planes lie on multiples of a table.

    Args:
        planes: of the photo.
        luma: what was found of its luminance. If that is a libjpeg table, so is the chrominance.

    Returns:
        The name of the subsampling, and the table with the position of the first whole block, in
        pixels of the photo.
    """
    if planes.chroma is None:
        return None
    found: list[tuple[float, str, Found]] = []
    for name in ("4:4:4", "4:2:2", "4:4:0", "4:2:0"):
        unit = chroma_unit(name)
        best: list[tuple[float, str, Found]] = []
        for begin in product(
            *(range(at, size, BLOCK) for at, size in zip(luma.phase, unit, strict=True))
        ):
            table = _table_at(planes, begin, unit, luma.quality)
            if table is not None:
                best.append((table.nats, name, table))
        found += sorted(best, key=lambda f: -f[0])[:1]
    found.sort(key=lambda f: -f[0])
    if not found or (len(found) > 1 and found[0][0] < found[1][0] + AHEAD):
        return None
    return found[0][1], found[0][2]


def _table_at(
    planes: Planes, begin: tuple[int, ...], unit: tuple[int, int], quality: int | None
) -> Found | None:
    assert planes.chroma is not None
    power, spectra = 1.0, []
    start = []
    coarse, hidden = planes.chroma, planes.clipped
    for axis in (0, 1):
        if unit[axis] == BLOCK:
            start.append(begin[axis])
            continue
        power *= LOUDER
        parity = begin[axis] % 2
        coarse = _halved(coarse, axis + 1, parity)
        hidden = _any_of_pair(hidden, axis, parity)
        # The first sample is one pair further on, as the filter needs the pixel before it.
        start.append(((begin[axis] - parity) // 2 - 1) % BLOCK)
    for plane in coarse:
        spectra.append(blocks(plane, hidden, (start[0], start[1]), BLOCKS // 2))
    spread = ROUNDING if power == 1 else ROUNDING * float(np.sqrt(1 + power))
    return table_of(np.concatenate(spectra), (begin[0], begin[1]), True, spread, quality)


def _halved(plane: Array, axis: int, parity: int) -> Array:
    """The samples that libjpeg's triangle filter (3/4 of the near one, 1/4 of the next) doubled.

    For a pair of pixels made of sample c: (-before + 3 first + 3 second - after) / 4 = c.
    """
    first = np.moveaxis(plane, axis, -1)[..., parity + 1 :]
    count = (first.shape[-1] - 3) // 2
    before, one, two, after = (first[..., k : k + 2 * count : 2] for k in range(4))
    coarse: Array = ((3 * (one + two) - before - after) / 4).astype(np.float32)
    return np.moveaxis(coarse, -1, axis)


def _any_of_pair(mask: npt.NDArray[np.bool_], axis: int, parity: int) -> npt.NDArray[np.bool_]:
    moved = np.moveaxis(mask, axis, -1)[..., parity + 1 :]
    count = (moved.shape[-1] - 3) // 2
    pair = moved[..., 1 : 1 + 2 * count : 2] | moved[..., 2 : 2 + 2 * count : 2]
    return np.moveaxis(pair, -1, axis)
