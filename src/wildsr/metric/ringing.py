"""Halos at edges: how far a result overshoots what its LR photo shows there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wildsr.metric.consistency import scale_of
from wildsr.metric.fidelity import full_luma
from wildsr.metric.kind import LOWER, Setting, Single

EDGE, FLAT = 48, 16  # levels between the darkest and brightest neighbour, at least and at most


def overshoot(sr: Tensor, lr: Tensor) -> Tensor:
    r"""How far a result leaves the range of its LR photo's neighbourhood at edges, in levels, (B,).

    .. math:: e = \max(0, sr - \max_{3 \times 3} lr, \min_{3 \times 3} lr - sr), \quad
        o = \max(0, mean_{edges} e - mean_{flats} e)

    of the luma from 0 to 255. Edges are the pixels whose 3 x 3 LR neighbours span 48 levels or
    more, flats those where they span 16 or less. The same excess in flats is noise or a pattern, no
    ringing, and is taken off; 0 without edges. It is the range that the anti-ringing of video
    players clamps to. Details that the LR photo lost overshoot too: a sharp photo's own value is a
    few tenths to a few levels, so read it beside that.

    Args:
        sr: (B, 3, sH, sW), [0, 1].
        lr: (B, 3, H, W), [0, 1].
    """
    scale = scale_of(sr, lr)
    y, small = (255 * full_luma(image.double()) for image in (sr, lr))
    padded = F.pad(small, (1, 1, 1, 1), mode="replicate")
    high, low = F.max_pool2d(padded, 3, 1), -F.max_pool2d(-padded, 3, 1)
    large = [F.interpolate(x, scale_factor=scale, mode="nearest") for x in (high, low)]
    excess = F.avg_pool2d((y - large[0]).clamp_min(0) + (large[1] - y).clamp_min(0), scale)
    span = high - low
    edges, flats = (_mean(excess, where) for where in (span >= EDGE, span <= FLAT))
    return (edges - flats).clamp_min(0)


def ringing(setting: Setting) -> Single:
    """Halos at strong edges: :func:`overshoot`."""
    return Single(
        title="ringing",
        better=LOWER,
        unit="levels",
        decimals=2,
        protocol={
            "edges": f"3x3 LR neighbours span {EDGE} levels, flats at most {FLAT}",
            "pixels": "luma, 0 to 255",
            "border": 0,
        },
        measure=lambda sr, lr: overshoot(sr, lr).item(),
    )


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """The mean of each sample over ``where``, 0 where there is nothing, (B,)."""
    total = torch.where(where, values, values.new_zeros(())).sum(dim=(1, 2, 3))
    return total / where.sum(dim=(1, 2, 3)).clamp_min(1)
