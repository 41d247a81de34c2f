"""JPEG quantisation tables, and the libjpeg quality that they are nearest to."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from wildsr.degradation.jpeg.jpeg import quantisation_tables

Table = tuple[int, ...]  # 64 steps, row by row, vertical frequency grows with the row; 0: unknown


@lru_cache(maxsize=1)
def libjpeg_tables() -> npt.NDArray[np.int64]:
    """The luminance and chrominance tables of libjpeg for qualities 1 to 100: (2, 100, 64)."""
    pair = quantisation_tables(torch.arange(1, 101, dtype=torch.float64))
    return np.stack([table.flatten(1).numpy() for table in pair]).astype(np.int64)


def nearest_quality(table: Table, chrominance: bool = False) -> tuple[int, bool]:
    r"""The libjpeg quality whose table is nearest, 1 to 100, and whether it is exactly that table.

    The distance is the mean of :math:`|\log (s / t)|` over the known steps. Transposed tables (of
    photos rotated by 90 degrees) are recognised, too. Of several equally near qualities, the
    highest.

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
    """The transposed table, for a photo rotated by 90 degrees."""
    return tuple(int(step) for step in np.asarray(table).reshape(8, 8).T.flatten())
