"""The cameras that a group of photos is drawn from: measured ones, and bicubic downscaling."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wildsr.calibration.doubt import EXPLAINED, WIDTH
from wildsr.calibration.fit import FEWEST, WORTH, Solution
from wildsr.calibration.statistics import NAMES
from wildsr.network.degrader.physics import PARAMETERS, PRIOR

AT_LEAST, AT_MOST = 0.7, 0.25  # of one photo's pictures: by bicubic downscaling, and by a blur
ROWS = 32  # of a group's cameras, at least
NEAR = 0.35  # of the logarithm of a width, or of a ratio of widths
STRETCH = [PARAMETERS.index(n) for n in ("stretch_x", "stretch_d")]
NOISES = [PARAMETERS.index(n) for n in ("noise", "shot", "correlation", "gray")]
VARIED = [PARAMETERS.index(n) for n in ("width", "stretch_x", "stretch_d", "noise")]


@dataclass
class Group:
    """What was measured of some photos that may be of one camera.

    Attributes:
        cameras: (n r, P), to draw from: r for each photo, photo by photo (all alike where they
            agree), but for the share ``bicubic`` of them, and the share ``doubt``, which stand for
            what was not explained.
        jitter: (n r, P) standard deviation of what differs from photo to photo and was not
            resolved, and of the measurement.
        solution: the common camera, its errors and misfits.
        misfit: mean squared difference of photos and model in standard errors; about 1 or less
            where the model explains the photos.
        doubt: share, 0 to 1.
        bicubic: share, 0 to 1, that bicubic downscaling is taken to have made.
    """

    cameras: Tensor
    jitter: Tensor
    solution: Solution
    misfit: float
    doubt: float
    bicubic: float

    def replace(self, rows: Tensor, bicubic: Solution) -> None:
        """Let these rows be bicubic downscaling, with the noise that was measured for it."""
        self.cameras[rows], self.jitter[rows] = bicubic.camera, 0.0
        self.jitter[rows[:, None], NOISES] = bicubic.error[NOISES]


def explains(solution: Solution) -> bool:
    """Whether a camera explains the photos that it was fitted to."""
    return solution.chi2 < len(NAMES) * EXPLAINED


def near_bicubic(solution: Solution) -> bool:
    """Whether a blur may be about as wide as that of bicubic downscaling, in all directions."""
    off = (solution.camera - PRIOR).abs() - 2 * solution.error
    return float(off[WIDTH]) < NEAR and float(torch.linalg.vector_norm(off[STRETCH])) < NEAR


def rows_of(solution: Solution, deviations: Tensor, jitter: Tensor) -> tuple[Tensor, Tensor]:
    """Cameras of each photo and what of each is drawn at random, ``ROWS`` or more of them.

    The widths are a standard error less than measured: too wide a blur costs much (the upscaler
    sharpens what is sharp), too narrow a one costs little.
    """
    copies = -(-ROWS // len(deviations))  # so that a share of few photos is one, too
    cameras = (solution.camera + deviations).repeat_interleave(copies, 0)
    error = torch.zeros(len(PARAMETERS))
    error[VARIED] = solution.error[VARIED]
    cameras[:, WIDTH] -= error[WIDTH]
    return cameras, torch.sqrt(jitter.square() + error.square()).repeat(len(cameras), 1)


def evidence(bicubic: Solution, solution: Solution) -> float:
    """How far, 0 to 1, bicubic downscaling is taken to have made the photos.

    Wholly where a measured blur explains them hardly better, not at all where it does so by far:
    what most people's photos went through is believed until there is evidence against it.
    """
    if not explains(bicubic):
        return 0.0
    return min(max(0.5 - (bicubic.chi2 - solution.chi2 - WORTH) / WORTH, 0.0), 1.0)


def with_few(share: float, photos: int) -> float:
    """The share of the pictures that bicubic downscaling makes, given how far it is believed.

    A few photos are no evidence for either: one of a soft scene looks as if it were blurred, one of
    a sharp scene as if it were not. Then both are trained through.
    """
    thin = max(1 - photos / FEWEST, 0.0)
    return min(max(share, thin * AT_LEAST), 1 - thin * AT_MOST)
