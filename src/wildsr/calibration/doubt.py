"""How far a measured camera is trusted, and what to train through if it is not."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.calibration.fit import SHAPE, SHARPEN, Solution, Surrogate, solve
from wildsr.calibration.simulate import SharpWindows
from wildsr.calibration.statistics import NAMES
from wildsr.network.degrader.physics import LOWEST, PARAMETERS, PRIOR

EXPLAINED = 1.0  # up to this misfit a camera explains the photos
BELIEVED, DOUBTED = 1.5, 2.5  # misfits below which a camera is fully, above which not trusted
WITNESSES = [i for i, name in enumerate(NAMES) if name.startswith(("steepest", "sharpness"))]
WIDTH, NOISE = PARAMETERS.index("width"), PARAMETERS.index("noise")
CORRELATION, GRAY = PARAMETERS.index("correlation"), PARAMETERS.index("gray")
BLUR = [PARAMETERS.index(name) for name in ("width", "stretch_x", "stretch_d")]


def doubt(misfit: float) -> float:
    """Share of the images, 0 to 1, that should not be degraded by the measured camera.

    Args:
        misfit: chi^2 of the fit per statistic; 1 or less if the camera explains the photos.
    """
    return min(max((misfit - BELIEVED) / (DOUBTED - BELIEVED), 0.0), 1.0)


def by_edges(model: Surrogate, solution: Solution, photos: Tensor, windows: int) -> Tensor:
    """The camera (P,) fitted only to the sharpness of the photos' steepest edges.

    A scene with little texture looks blurred in its power spectrum; but every scene has some sharp
    edges, and only the camera blurs all of them. The noise parameters are kept.

    Args:
        model: the surrogate of the statistics.
        solution: the camera found from all statistics.
        photos: (n, D) statistics of each photo.
        windows: number of simulated windows.
    """
    held = {i: float(v) for i, v in enumerate(solution.camera) if i not in BLUR} | {
        SHARPEN: 0.0,
        SHAPE: 0.0,
    }
    return solve(model, photos, windows, held, WITNESSES).camera


def doubtful(edges: Tensor, sharp: SharpWindows, count: int) -> Tensor:
    """Cameras (count, P) to train through in place of a measured one that is not trusted.

    Overestimating blur is costly (the upscaler over-sharpens), underestimating it is not. So their
    blur widths run evenly from the prior to what the edges show (``edges``, (P,)), isotropic; and
    what is not explained is modelled as white noise, as strong as the difference between the images
    of either end and the middle.
    """
    high = PRIOR.clone()
    high[CORRELATION], high[GRAY] = LOWEST[CORRELATION], LOWEST[GRAY]
    high[WIDTH], high[NOISE] = edges[WIDTH], edges[NOISE]
    low = high.clone()
    low[WIDTH] = torch.minimum(PRIOR[WIDTH], edges[WIDTH])
    share = torch.linspace(0, 1, count)[:, None]
    cameras = low + (high - low) * share
    index = torch.arange(min(len(sharp), 40))
    ends = [sharp.blurred(index, camera.expand(len(index), -1)) for camera in (low, high)]
    half = 255 * float((ends[0] - ends[1]).square().mean().sqrt()) / 2
    cameras[:, NOISE] = (
        torch.logaddexp(2 * cameras[:, NOISE], torch.tensor(max(half, 1e-3)).log() * 2) / 2
    )
    return cameras
