"""How much two sets of photos differ, and how much of that is chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.stats import t as student
from torch import Tensor

RESAMPLES = 400
ERROR = 0.01  # of false alarms a line; eight lines make one in twelve cards


@dataclass(frozen=True)
class Comparison:
    """Statistics of two sets of photos.

    Attributes:
        real: (j,)
        fake: (j,)
        margin: (j,); differences of sets of one origin are smaller than all of these in 99 % of
            the cases. NaN where it cannot be known.
    """

    real: Tensor
    fake: Tensor
    margin: Tensor

    @property
    def difference(self) -> Tensor:
        """Generated minus real, (j,)."""
        return self.fake - self.real


def compare(
    real: Tensor, fake: Tensor, statistic: Callable[[Tensor], Tensor], seed: int
) -> Comparison:
    r"""Compare the statistics of two sets, with resampled differences.

    Photos, not pixels, are what there could have been others of: the standard error s of each set
    is that of bootstrap samples of its photos, times ``sqrt(n / (n - 1))`` because a sample
    repeats some, and

    .. math:: margin = t_{1 - 0.01 / 2j}(\min(n, m) - 1) \sqrt{s_n^2 + s_m^2}

    (Welch's interval with the smaller, so the safer, number of degrees of freedom, shared among j
    statistics after Bonferroni.)

    Args:
        real: (n, k) numbers of each photo.
        fake: (m, k).
        statistic: (R, n, k) -> (R, j), of R sets at once.
        seed: of the resampling.
    """
    generator = torch.Generator().manual_seed(seed)
    values, variances = [], []
    for photos in (real, fake):
        count = len(photos)
        values.append(statistic(photos[None])[0])
        which = torch.randint(count, (RESAMPLES, count), generator=generator)
        again = statistic(photos[which])
        again = torch.where(again.isnan(), values[-1], again)  # a sample without enough to see
        variances.append(again.var(0) * count / max(count - 1, 1))
    freedom = min(len(real), len(fake)) - 1
    statistics = len(values[0])
    factor = student.ppf(1 - ERROR / (2 * statistics), freedom) if freedom > 0 else torch.nan
    margin = float(factor) * (variances[0] + variances[1]).sqrt()
    return Comparison(values[0], values[1], margin)
