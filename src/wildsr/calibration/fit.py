"""Fit a camera by simulated moments: its simulated photos must show the LR photos' statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from torch import Tensor

from wildsr.calibration.statistics import NAMES
from wildsr.network.degrader.physics import HIGHEST, LOWEST, PARAMETERS, PRIOR, PRIOR_SPREAD

SHARPEN, SHAPE = PARAMETERS.index("sharpen"), PARAMETERS.index("shape")
BICUBIC = PARAMETERS.index("bicubic")
DENOISE, LIFT = PARAMETERS.index("denoise"), PARAMETERS.index("lift")
BLOTCH, PATCHES = PARAMETERS.index("blotch"), PARAMETERS.index("patches")
MISFIT = 0.15  # dB (or levels): assumed model error of every statistic
OWN = 0.2  # shrinkage of the covariance of the statistics towards its diagonal
WORTH = 16.0  # chi^2 must fall by this for an optional part to be used: four standard errors
OUTSIDE = 200.0  # weight of the squared distance to the range of what was simulated
FEWEST = 12  # with fewer photos, differences between them are not estimated
FEW = 40  # with fewer photos, their covariance is taken from the simulated windows

Floats = npt.NDArray[np.float64]


@dataclass
class Surrogate:
    """The mean statistics as a quadratic function of the camera around ``centre``.

    ``mean(camera) = level + features((camera - centre) / radius) @ slopes``. D is the number of
    statistics.
    """

    centre: Tensor
    radius: Tensor
    slopes: Tensor
    level: Tensor
    scatter: Tensor  # (D, D) covariance from window to window
    beside: Tensor  # (C, D) slopes of covariates that are no camera parameters

    def mean(self, place: Tensor) -> Tensor:
        """The mean statistics (D,) at a camera (P,), in units of the radius from the centre."""
        return self.level + features(place[None])[0] @ self.slopes

    def tilt(self, place: Tensor) -> Tensor:
        """The derivative of the mean statistics (P, D) by the camera (P,), both in such units."""
        return self.slopes[: len(place)] + 2 * torch.tensordot(place, self.curvature, 1)

    @cached_property
    def curvature(self) -> Tensor:
        """Half of the second derivatives, (P, P, D)."""
        count = len(self.centre)
        first, second = torch.triu_indices(count, count)
        found = self.slopes.new_zeros(count, count, self.slopes.shape[1])
        found[first, second] += self.slopes[count:] / 2
        found[second, first] += self.slopes[count:] / 2
        return found


def features(place: Tensor) -> Tensor:
    """All monomials of degree 1 and 2 of (n, P): (n, P + P (P + 1) / 2)."""
    first, second = torch.triu_indices(place.shape[1], place.shape[1])
    return torch.cat([place, place[:, first] * place[:, second]], 1)


def surrogate(
    centre: Tensor, radius: Tensor, place: Tensor, shown: Tensor, renders: int, also: Tensor
) -> Surrogate:
    """Fit the surrogate to simulated statistics, by ridge regression.

    Each window was rendered ``renders`` times with different cameras; the slopes are fitted only to
    differences between renderings of the same window, so that differences between scenes cancel.

    Args:
        centre: (P,).
        radius: (P,).
        place: (renders m, P) cameras in units of the radius, rendering by rendering.
        shown: (renders m, D) statistics.
        renders: renderings of each window.
        also: (renders m, C) centred covariates that are no camera parameters.
    """

    def within(x: Tensor) -> Tensor:
        return x - x.view(renders, -1, x.shape[1]).mean(0).repeat(renders, 1)

    x = torch.cat([features(place), also], 1)
    ridge = torch.full((x.shape[1],), 2.0)
    ridge[: place.shape[1]] = 0.1
    inner, outer = within(x), within(shown)
    slopes = torch.linalg.solve(inner.T @ inner + torch.diag(ridge), inner.T @ outer)
    rest = shown - x @ slopes
    level = rest.mean(0)
    scatter = (rest - level).T @ (rest - level) / len(rest)
    count = features(place[:1]).shape[1]
    return Surrogate(centre, radius, slopes[:count], level, scatter, slopes[count:])


@dataclass
class Solution:
    """A fitted camera.

    Attributes:
        camera: (P,).
        error: (P,) standard errors.
        misfit: (D,) photos minus model, in standard errors of the difference.
        chi2: squared distance of the photos' statistics from the model's, in standard errors.
        count: number of statistics that it was fitted to.
    """

    camera: Tensor
    error: Tensor
    misfit: Tensor
    chi2: float
    count: int = len(NAMES)

    @property
    def by_all(self) -> bool:
        """Whether it was fitted to all statistics, not to those of luma alone."""
        return self.count == len(NAMES)

    @property
    def unexplained(self) -> float:
        """chi^2 per statistic: 1 or less if the camera explains the photos."""
        return self.chi2 / self.count


def solve(
    model: Surrogate,
    photos: Tensor,
    windows: int,
    held: Mapping[int, float] | None = None,
    figures: Sequence[int] | None = None,
) -> Solution:
    """Find the camera whose mean statistics are those of the photos, given the prior.

    Args:
        model: the surrogate.
        photos: (n, D) statistics of each photo.
        windows: number of simulated windows.
        held: parameters that are fixed, by their index.
        figures: indices of the statistics to use; None for all.
    """
    own = torch.cov(photos.T) if len(photos) >= FEW else model.scatter
    variance = model.scatter / windows + own / len(photos)
    variance = (1 - OWN) * variance + torch.diag(OWN * variance.diag() + MISFIT**2)
    chosen = torch.arange(len(variance)) if figures is None else torch.tensor(list(figures))
    weight = torch.zeros_like(variance)
    weight[chosen[:, None], chosen] = torch.linalg.inv(variance[chosen[:, None], chosen])
    target = photos.mean(0)
    prior, spread = (PRIOR - model.centre) / model.radius, PRIOR_SPREAD / model.radius
    low = ((LOWEST - model.centre) / model.radius).clamp(min=-1.3)
    high = ((HIGHEST - model.centre) / model.radius).clamp(max=1.3)
    free, fixed = torch.ones(len(prior)), torch.zeros(len(prior))
    for index, known in (held or {}).items():
        free[index] = 0.0
        fixed[index] = (known - model.centre[index]) / model.radius[index]
    generator = torch.Generator().manual_seed(0)
    starts = [torch.zeros(len(prior))]
    starts += [1.6 * torch.rand(len(prior), generator=generator) - 0.8 for _ in range(3)]
    level, linear = _plain(target - model.level), _plain(model.slopes[: len(prior)])
    curvature, inverse = _plain(model.curvature), _plain(weight)
    expected, tight = _plain(prior), _plain(spread**-2)
    least, most, moves, still = map(_plain, (low, high, free, fixed))

    def cost(place: Floats) -> tuple[float, Floats]:
        """What is minimised, and its gradient."""
        at = place * moves + still
        bent = np.tensordot(at, curvature, 1)
        rest = level - at @ (linear + bent)
        weighted, apart = inverse @ rest, at - expected
        above, below = np.maximum(at - most, 0), np.maximum(least - at, 0)
        value = (
            rest @ weighted + apart @ (tight * apart) + OUTSIDE * (above @ above + below @ below)
        )
        slope = tight * apart - (linear + 2 * bent) @ weighted + OUTSIDE * (above - below)
        return float(value), 2 * moves * slope

    found = [minimize(cost, _plain(start), jac=True, method="BFGS") for start in starts]
    best = min(found, key=lambda one: one.fun)
    place = torch.from_numpy(best.x).float() * free + fixed
    rest = target - model.mean(place)
    slopes = model.tilt(place) * free[:, None]
    information = slopes @ weight @ slopes.T + torch.diag(spread**-2)
    error = torch.linalg.inv(information).diag().sqrt() * model.radius
    camera = (model.centre + place * model.radius).clamp(LOWEST, HIGHEST)
    return Solution(
        camera, error, rest / variance.diag().sqrt(), float(rest @ weight @ rest), len(chosen)
    )


def _plain(values: Tensor) -> Floats:
    return values.double().numpy()


def deviations_of(
    model: Surrogate, camera: Tensor, photos: Tensor, alike: Tensor, varied: list[int]
) -> tuple[Tensor, Tensor]:
    """Estimate how far each photo's camera is from the common one.

    Args:
        model: the surrogate.
        camera: (P,) the common one.
        photos: (n, D) statistics of each photo.
        alike: (m, D) statistics of windows simulated with the common camera, of other scenes than
            the surrogate was fitted to (on those its errors would be underestimated).
        varied: the parameters that may differ from photo to photo.

    Returns:
        (n, P), and the same for ``alike`` (m, P), what chance alone gives.
    """
    place = (camera - model.centre) / model.radius
    slopes = model.tilt(place)[varied].T
    scatter = (1 - OWN) * model.scatter + torch.diag(OWN * model.scatter.diag() + MISFIT**2)
    weight = torch.linalg.inv(scatter)
    gain = torch.linalg.solve(slopes.T @ weight @ slopes + 0.05 * torch.eye(len(varied)), slopes.T)
    gain = (gain @ weight).T * model.radius[varied]
    found = []
    for shown in (photos - photos.mean(0), alike - alike.mean(0)):
        each = torch.zeros(len(shown), len(PARAMETERS))
        each[:, varied] = shown @ gain
        found.append(each)
    return found[0], found[1]


def shrunk(deviations: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
    """Shrink deviations (n, P) towards 0 by what chance explains of them (empirical Bayes).

    A parameter is taken to vary only if its variance is clearly more than twice that of ``chance``
    (m, P), the estimates for windows of a single camera. Variances are estimated from the middle 70
    %, as scenes have heavy tails.

    Returns:
        The shrunk deviations, and the standard deviation (P,) of the part that was shrunk away.
    """
    count = len(deviations)
    if count < FEWEST:
        return torch.zeros_like(deviations), torch.zeros(deviations.shape[1])
    ends = torch.tensor([0.15, 0.85])
    variance, expected = (
        ((x.quantile(ends, 0).diff(dim=0)[0]) / 2.073).square() for x in (deviations, chance)
    )
    limit = expected * (2 + 2 * math.sqrt(2 / count))
    true = torch.where(variance > limit, variance - expected, torch.zeros(()))
    kept = true / (true + expected).clamp(min=1e-12)
    near = 3 * (true + expected).sqrt()
    return deviations.clamp(-near, near) * kept, (true * (1 - kept)).sqrt()
