"""Evidence that DCT coefficients lie on multiples of a quantisation step, for all steps at once."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

BLOCK = 8
STEPS = 255  # the largest step of 8-bit tables
FINE = 8  # histogram bins per unit of a coefficient
NEAR = 3.5  # standard deviations within which a coefficient counts as quantised to 0
FEW = 4  # samples for each bin of magnitudes, for all columns together
STRAY = 0.03  # share of outliers (clipping, retouching)
ASTRAY = 0.1  # share of outliers among coefficients below half a step


@lru_cache(maxsize=1)
def cosines() -> Array:
    """The orthonormal DCT matrix (8, 8), one frequency in each row."""
    n = np.arange(BLOCK)
    waves = np.cos(math.pi * (2 * n + 1) * n[:, None] / (2 * BLOCK)) / 2
    waves[0] /= math.sqrt(2)
    return waves.astype(np.float32)


@lru_cache(maxsize=1)
def _sliding() -> Array:
    """(15, 64): the transforms of the 8 runs of 8 within 15 values, run by run."""
    slid = np.zeros((2 * BLOCK - 1, BLOCK, BLOCK), np.float32)
    for start in range(BLOCK):
        slid[start : start + BLOCK, start] = cosines().T
    return slid.reshape(2 * BLOCK - 1, -1)


def on_all_grids(windows: Array) -> Array:
    """DCT of the 64 blocks in each window of 15 x 15: (n, 15, 15) to (n, 64, 64).

    The second dimension is the offset (8 y + x) of the block in its window, the third its
    frequency.
    """
    slid = _sliding()
    rows = np.tensordot(windows, slid, (1, 0))  # (n, x, (y, v))
    both = np.tensordot(rows, slid, (1, 0))  # (n, (y, v), (x, u))
    n = len(windows)
    return both.reshape(n, 8, 8, 8, 8).transpose(0, 1, 3, 2, 4).reshape(n, 64, 64)


def transform(blocks: Array) -> Array:
    """DCT of blocks: (n, 8, 8) to (n, 64), row by row, vertical frequency growing with the row."""
    waves = cosines()
    return np.asarray(waves @ blocks @ waves.T, np.float32).reshape(-1, BLOCK * BLOCK)


@lru_cache(maxsize=64)
def gains(spread: float, reach: int) -> Array:
    r"""Log-likelihood ratio (bins, 255) of magnitudes: quantised by step 1 ... 255, or not at all.

    .. math:: g(d, t) = \log ((1 - \epsilon)\, t \sum_k N(|d| - k t; \sigma) + \epsilon)

    for magnitudes from half a step on. For unquantised coefficients its mean is negative (Jensen),
    for a falling density even more than for a flat one. Magnitudes near 0 are no evidence, as they
    may be small anyway; those between 0 and half a step are evidence against the step.

    Args:
        spread: standard deviation of the coefficients around the multiples.
        reach: largest magnitude.
    """
    magnitude = np.arange(FINE * reach, dtype=np.float32)[:, None] / FINE
    step = np.arange(1, STEPS + 1, dtype=np.float32)
    rest = magnitude - step * np.round(magnitude / step)
    density = sum(np.exp(-0.5 * ((rest + k * step) / spread) ** 2) for k in range(-2, 3))
    density *= step / (spread * math.sqrt(2 * math.pi))
    gain = np.log((1 - STRAY) * density + STRAY)
    excess = np.maximum((magnitude / spread) ** 2 - NEAR**2, 0)
    near_zero = np.log((1 - ASTRAY) * np.exp(-0.5 * excess) + ASTRAY)
    return np.where(magnitude >= step / 2, gain, np.minimum(near_zero, 0)).astype(np.float32)


def evidence(coefficients: Array, spread: float, reach: int) -> Array:
    """Sum of :func:`gains` over samples: (n, columns) to (columns, 255).

    Args:
        coefficients: (n, columns), each column of one frequency (and grid offset).
        spread: standard deviation around the multiples.
        reach: larger magnitudes are left out.
    """
    columns, bins = coefficients.shape[1], FINE * reach
    place = np.rint(np.abs(coefficients) * FINE).astype(np.int64)
    place = np.where(place < bins, place, 0) + np.arange(columns) * bins
    counts = np.bincount(place.ravel(), minlength=columns * bins).astype(np.float32)
    counts, worth = counts.reshape(columns, bins), gains(spread, reach)
    if len(coefficients) * columns < FEW * bins:  # most magnitudes do not occur at all
        held = np.flatnonzero(counts.any(0))
        counts, worth = counts[:, held], worth[held]
    return counts @ worth
