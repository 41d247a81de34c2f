"""Tell differences between two sets of photos from chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.stats import t as student
from torch import Tensor

RESAMPLES = 400
ERROR = 0.01  # false alarm rate of an entry; with eight entries that is one in twelve cards


@dataclass(frozen=True)
class Comparison:
    """Statistics of two sets of photos.

    Attributes:
        real: (j,) statistics of the real LR images.
        fake: (j,) statistics of the generated ones.
        margin: (j,). Between two sets of the same origin, all differences are smaller than this in
            99 % of the cases. NaN if it is unknown.
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
    r"""Compare the statistics of two sets, with a bootstrap estimate of chance.

    Photos, not pixels, are the independent samples: the standard error s of each set comes from
    bootstrap samples of its photos, times ``sqrt(n / (n - 1))`` to correct its bias, and

    .. math:: margin = t_{1 - 0.01 / 2j}(\min(n, m) - 1) \sqrt{s_n^2 + s_m^2}

    (Welch's interval with the smaller, hence conservative, number of degrees of freedom, and
    Bonferroni's correction for j statistics.)

    Args:
        real: (n, k), k measurements of each photo.
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
