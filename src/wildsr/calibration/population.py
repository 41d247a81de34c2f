"""The population of cameras of a group of photos: measured ones, and bicubic downscaling."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wildsr.calibration.doubt import EXPLAINED, WIDTH
from wildsr.calibration.fit import FEWEST, SHARPEN, WORTH, Solution
from wildsr.degradation.coding import Coding
from wildsr.network.degrader.physics import PARAMETERS, PRIOR

AT_LEAST, AT_MOST = 0.7, 0.25  # shares if there is a single photo: at least bicubic, and blur
CLOSE, FAR = 1.5 * WORTH, 2 * WORTH  # chi^2 up to which few photos leave room for bicubic, and none
SURE = 0.75  # share of a measured sharpening that is drawn
ROWS = 32  # least number of cameras of a group
NEAR = 0.35  # difference of the log blur width, or log ratio of widths, that counts as small
STRETCH = [PARAMETERS.index(n) for n in ("stretch_x", "stretch_d")]
NOISES = [PARAMETERS.index(n) for n in ("noise", "shot", "correlation", "gray")]
VARIED = [PARAMETERS.index(n) for n in ("width", "stretch_x", "stretch_d", "noise")]


@dataclass
class Group:
    """The cameras of photos that may be of one camera.

    Attributes:
        cameras: (n r, P), to draw from: r for each of n photos, photo by photo (all equal if the
            photos agree); except the share ``bicubic`` of them, and the share ``doubt``, which
            stand in for an unexplained camera.
        jitter: (n r, P) standard deviation of unresolved differences between photos and of the
            measurement error.
        solution: the common camera, its errors and misfits.
        misfit: chi^2 per statistic; about 1 or less if the model explains the photos.
        doubt: share, 0 to 1, of cameras that replace the measured one.
        bicubic: share, 0 to 1, of cameras that are bicubic downscaling.
        worse: by how much chi^2 of bicubic downscaling is above that of the measured blur, where
            that was asked; else 0.
        coding: a lossy coding that photos stored without loss went through before, if they show it.
    """

    cameras: Tensor
    jitter: Tensor
    solution: Solution
    misfit: float
    doubt: float
    bicubic: float
    worse: float = 0.0
    coding: Coding | None = None

    def replace(self, rows: Tensor, bicubic: Solution) -> None:
        """Make these rows (indices, (k,)) bicubic downscaling, with the noise measured for it."""
        self.cameras[rows], self.jitter[rows] = bicubic.camera, 0.0
        self.jitter[rows[:, None], NOISES] = bicubic.error[NOISES]


def explains(solution: Solution) -> bool:
    """Whether a camera explains the photos that it was fitted to."""
    return solution.unexplained < EXPLAINED


def near_bicubic(solution: Solution) -> bool:
    """Whether a blur is, within errors, as wide as bicubic downscaling's in all directions."""
    off = (solution.camera - PRIOR).abs() - 2 * solution.error
    return float(off[WIDTH]) < NEAR and float(torch.linalg.vector_norm(off[STRETCH])) < NEAR


def rows_of(solution: Solution, deviations: Tensor, jitter: Tensor) -> tuple[Tensor, Tensor]:
    """Cameras for each photo, and their random variation; ``ROWS`` rows or more.

    Blur widths are one standard error less than measured: overestimating blur is costly (the
    upscaler over-sharpens), underestimating it is not. So is sharpening, of which ``SURE`` is
    taken: it trades off with blur and denoising, so that standard errors say too little.

    Args:
        solution: the common camera.
        deviations: (n, P) of each photo's camera from it.
        jitter: (P,) standard deviation of unresolved differences.

    Returns:
        Cameras (n r, P) and standard deviations (n r, P).
    """
    copies = -(-ROWS // len(deviations))  # so that a share of few photos is one, too
    cameras = (solution.camera + deviations).repeat_interleave(copies, 0)
    error = torch.zeros(len(PARAMETERS))
    error[VARIED] = solution.error[VARIED]
    cameras[:, WIDTH] -= error[WIDTH]
    cameras[:, SHARPEN] *= torch.where(cameras[:, SHARPEN] > 0, SURE, 1.0)
    return cameras, torch.sqrt(jitter.square() + error.square()).repeat(len(cameras), 1)


def evidence(bicubic: Solution, solution: Solution) -> float:
    """How likely, 0 to 1, the photos were made by bicubic downscaling.

    1 if a measured blur explains them hardly better, 0 if it does so by far: bicubic downscaling,
    the most common case, is assumed until there is evidence against it.
    """
    if not explains(bicubic):
        return 0.0
    return min(max(0.5 - (bicubic.chi2 - solution.chi2 - WORTH) / WORTH, 0.0), 1.0)


def with_few(share: float, photos: int, worse: float) -> float:
    """The share of bicubic downscaling in the population, given its likelihood ``share``.

    Few photos are little evidence either way: a soft scene looks blurred, a sharp scene does not.
    Then both bicubic downscaling and a blur get a minimum share; bicubic downscaling loses its own
    where the photos tell the two apart by more than scenes of one camera differ.

    Args:
        share: likelihood of bicubic downscaling, 0 to 1.
        photos: their number.
        worse: by how much chi^2 of bicubic downscaling is above that of the measured blur.
    """
    thin = max(1 - photos / FEWEST, 0.0)
    room = min(max((FAR - worse) / (FAR - CLOSE), 0.0), 1.0)
    return min(max(share, thin * AT_LEAST * room), 1 - thin * AT_MOST)
