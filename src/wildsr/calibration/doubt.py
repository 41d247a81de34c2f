"""How far a measured camera is trusted, and what to train through if it is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from wildsr.calibration.fit import DENOISE, SHAPE, SHARPEN, Solution, Surrogate, solve
from wildsr.calibration.simulate import SharpWindows
from wildsr.calibration.statistics import FLOOR, NAMES
from wildsr.degradation.coding import Coding
from wildsr.network.degrader.physics import LOWEST, PARAMETERS, PRIOR

EXPLAINED = 1.0  # up to this misfit a camera explains the photos
BELIEVED, DOUBTED = 1.5, 2.0  # misfits below which a camera is fully, above which not trusted
SHARED = 0.8  # of the noise's variance, the same in all channels, from which on it may be texture
COARSE = 0.4  # LR pixels, correlation from which on noise may be something else
COLOUR = NAMES.index("quiet blue, low")
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


def without_texture(
    solution: Solution, photos: Tensor, codings: Sequence[Coding | None]
) -> Solution:
    """Take the noise away that may be texture: coarse, and nearly all the same in all channels.

    Where nothing of a photo is flat, its texture looks like noise that its channels share. Sensors
    make little of that kind; coding and denoising leave it of other noise, so photos that went
    through either are believed, and so are gray ones, which have no other.

    Args:
        solution: what was found.
        photos: (n, D) statistics of each photo.
        codings: of the photos.
    """
    camera = solution.camera
    coloured = float(photos[:, COLOUR].mean()) > 10 * math.log10(FLOOR) + 1
    plain = all(coding is None for coding in codings) and float(camera[DENOISE]) == 0
    suspect = float(camera[GRAY]) > SHARED and float(camera[CORRELATION]) > COARSE
    if not (coloured and plain and suspect):
        return solution
    camera = camera.clone()
    camera[NOISE] += 0.5 * math.log(1 - float(camera[GRAY]))
    camera[GRAY] = 0.0
    return replace(solution, camera=camera)


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
