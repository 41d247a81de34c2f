"""Antialiased bicubic downscaling, the standard degradation of super-resolution."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from wildsr.argument import check_counts
from wildsr.degradation.depth import stored
from wildsr.degradation.resize import resize


def downscale(hr: Tensor, scale: int) -> Tensor:
    """Downscale by antialiased bicubic (a = -0.5, as MATLAB and Pillow), not clamped.

    (B, C, H, W) -> (B, C, H // s, W // s).
    """
    if scale == 1:
        return hr
    size = (hr.shape[-2] // scale, hr.shape[-1] // scale)
    if size[1] == 1:  # torch (2.14, on a CPU) gives wrong rows for a width of 1
        return resize(hr, size, "bicubic")
    return F.interpolate(hr, size=size, mode="bicubic", antialias=True, align_corners=False)


class Bicubic(nn.Module):
    """Downscales by antialiased bicubic and rounds to 8 bits, as a file would hold it.

    Attributes:
        deep: leave out the rounding; see :func:`wildsr.degradation.depth.deepen`.
    """

    deep = False

    def __init__(self, scale: int) -> None:
        super().__init__()
        check_counts(scale=scale)
        self.scale = scale

    def forward(self, hr: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, 3, H / s, W / s) in [0, 1]."""
        return stored(downscale(hr, self.scale), self.deep).clamp(0, 1)
