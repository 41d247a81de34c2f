"""Quantisation tables of JPEG in words: which quality of libjpeg they are, or are nearest to."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from wildsr.degradation.jpeg.jpeg import quantisation_tables

Table = tuple[int, ...]  # 64 steps, rows of growing vertical frequency; 0: not known


@lru_cache(maxsize=1)
def libjpeg_tables() -> npt.NDArray[np.int64]:
    """(2, 100, 64): libjpeg's steps for luminance and chrominance, of qualities 1 to 100."""
    pair = quantisation_tables(torch.arange(1, 101, dtype=torch.float64))
    return np.stack([table.flatten(1).numpy() for table in pair]).astype(np.int64)


def nearest_quality(table: Table, chrominance: bool = False) -> tuple[int, bool]:
    r"""The quality of libjpeg whose table is nearest, 1 to 100, and whether it is that table.

    Near is what differs least in ratio: the mean of :math:`|\log (s / t)|` over the known steps.
    Tables that were transposed with their photo (turned by 90 degrees) count like the others. Where
    several qualities have the same known steps, the highest.

    Raises:
        ValueError: no step is known.
    """
    steps = np.asarray(table, np.float64).reshape(8, 8)
    if not (steps > 0).any():
        raise ValueError("Argument `table` must have known steps, but got none.")
    known = libjpeg_tables()[int(chrominance)].reshape(100, 8, 8)
    best = (np.inf, 0)
    for turned in (steps, steps.T):
        mask = turned > 0
        apart = np.abs(np.log(known[:, mask] / turned[mask])).mean(axis=1)
        at = 99 - int(apart[::-1].argmin())
        best = min(best, (float(apart[at]), at + 1))
    return best[1], best[0] == 0


def transposed(table: Table) -> Table:
    """The table of a photo whose rows have become columns."""
    return tuple(int(step) for step in np.asarray(table).reshape(8, 8).T.flatten())
