"""Where no camera explains the photos: how far to trust one, and what to train through instead."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.calibration.fit import SHAPE, SHARPEN, Solution, Surrogate, solve
from wildsr.calibration.simulate import SharpWindows
from wildsr.calibration.statistics import NAMES
from wildsr.network.degrader.physics import LOWEST, PARAMETERS, PRIOR

EXPLAINED = 1.0  # misfit up to which a camera explains the photos
BELIEVED, DOUBTED = 1.5, 2.5  # misfit up to which a camera is believed, and from which not at all
WITNESSES = [i for i, name in enumerate(NAMES) if name.startswith(("steepest", "sharpness"))]
WIDTH, NOISE = PARAMETERS.index("width"), PARAMETERS.index("noise")
CORRELATION, GRAY = PARAMETERS.index("correlation"), PARAMETERS.index("gray")
BLUR = [PARAMETERS.index(name) for name in ("width", "stretch_x", "stretch_d")]


def doubt(misfit: float) -> float:
    """Share of the pictures, 0 to 1, that are not to be taken by the measured camera."""
    return min(max((misfit - BELIEVED) / (DOUBTED - BELIEVED), 0.0), 1.0)


def by_edges(model: Surrogate, solution: Solution, photos: Tensor, windows: int) -> Tensor:
    """The camera (P,) whose steepest edges are the photos', whatever else differs.

    A softer scene has less texture, and all of a photo's power seems blurred away; but some edge is
    sharp in any scene, and only the camera widens all of them. Noise is taken as measured.
    """
    held = {i: float(v) for i, v in enumerate(solution.camera) if i not in BLUR} | {
        SHARPEN: 0.0,
        SHAPE: 0.0,
    }
    return solve(model, photos, windows, held, WITNESSES).camera


def doubtful(edges: Tensor, sharp: SharpWindows, count: int) -> Tensor:
    """Cameras (count, P) to train through where the measured one is not believed.

    A blur that is taken too wide costs much (the upscaler sharpens what is sharp), one that is too
    narrow costs little. So their widths run evenly from the one expected of any photo to the one
    that the edges show, and no further, the same in all directions; and what is not explained acts
    as noise, white for want of evidence, of the size by which pictures of the two ends differ from
    the middle.
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
