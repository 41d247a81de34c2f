"""Confidence intervals of means and of differences between rows, by resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
RESAMPLES = 9999
STATED = (
    f"{LEVEL:.0%} percentile bootstrap over images, {RESAMPLES} resamples; p-values: two-sided "
    "paired sign-flip permutation test of the mean difference, exact up to 13 images, else "
    f"{RESAMPLES} random flips; not corrected for the number of comparisons"
)


@dataclass(frozen=True)
class Difference:
    """The difference of two rows on the same images.

    Args:
        mean: of the differences, first minus second.
        low: lower bound of the bootstrap interval of the mean; None for a single image.
        high: its upper bound.
        p: of the sign-flip test; with n images it cannot be below ``2 / 2^n``.
        images: number of images that both rows have.
    """

    mean: float
    low: float | None
    high: float | None
    p: float
    images: int


def interval(values: Sequence[float], seed: int) -> tuple[float, float] | None:
    """Bootstrap confidence interval of the mean (Efron 1979), percentile method.

    Args:
        values: one per image.
        seed: the same one gives the same interval.

    Returns:
        (low, high); None for fewer than two values, or if one is not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) < 2 or not np.isfinite(sample).all():
        return None
    if np.ptp(sample) == 0:
        return float(sample[0]), float(sample[0])
    from scipy.stats import bootstrap  # half a second to import

    found = bootstrap(
        (sample,),
        np.mean,
        confidence_level=LEVEL,
        n_resamples=RESAMPLES,
        batch=max(1, 2**22 // len(sample)),
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def difference(first: Sequence[float], second: Sequence[float], seed: int) -> Difference | None:
    """Test how two rows differ on the same images: mean, interval and p.

    The test flips the sign of each image's difference: under the null hypothesis both signs are
    equally likely. ``p`` is the fraction of all sign patterns whose mean is at least as far from 0.

    Args:
        first: values of one row, one per image.
        second: of the other row, in the same order.
        seed: of the resampling.

    Returns:
        None without images, or if a difference is not finite.
    """
    with np.errstate(invalid="ignore"):  # of two infinite ones
        gaps = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    if len(gaps) == 0 or not np.isfinite(gaps).all():
        return None
    low, high = interval(gaps.tolist(), seed) or (None, None)
    return Difference(float(gaps.mean()), low, high, _sign_flip(gaps, seed), len(gaps))


def _sign_flip(gaps: np.ndarray, seed: int) -> float:
    if not gaps.any():
        return 1.0
    if len(gaps) == 1:  # which scipy refuses: both signs are as far from 0
        return 1.0
    from scipy.stats import permutation_test

    found = permutation_test(
        (gaps,),
        np.mean,
        permutation_type="samples",
        n_resamples=RESAMPLES,
        batch=max(1, 2**22 // len(gaps)),
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)
