"""Colour fix: replace the output's low frequencies by those of the input."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.inference.tile import channels_of

SIGMA = 6.0  # LR pixels; coarser structure is taken from the input, finer from the network
REACH = 18  # LR pixels, three sigma


class ColourFix(nn.Module):
    """Corrects the colours of an upscaler's output to those of its input.

    ``sr + up(blur(lr - down(sr)))``: reverts changes of large areas; networks learned without pairs
    drift in hue and brightness. ``down`` is the mean of s x s pixels, ``blur`` a Gaussian (sigma 6
    LR pixels, cut off at 18, border repeated), ``up`` bilinear interpolation.

    Args:
        network: (B, 3, H, W) to (B, 3, sH, sW).
        scale: s.

    Shapes:
        lr (B, 3, H, W) in [0, 1] -> (B, 3, sH, sW), not clamped.
    """

    def __init__(self, network: nn.Module, scale: int) -> None:
        super().__init__()
        self.network, self.scale, self.channels = network, scale, channels_of(network)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W) and correct the low frequencies."""
        sr: Tensor = self.network(lr)
        drift = _blur(lr.float() - F.avg_pool2d(sr.float(), self.scale))
        size = sr.shape[-2:]
        return sr + F.interpolate(drift, size=size, mode="bilinear", align_corners=False)


def _blur(image: Tensor) -> Tensor:
    """Separable Gaussian on (B, C, H, W), the border repeated."""
    places = torch.arange(-REACH, REACH + 1, dtype=image.dtype, device=image.device)
    weights = torch.exp(-(places**2) / (2 * SIGMA**2))
    weights = weights / weights.sum()
    channels = image.shape[1]
    across = weights.expand(channels, 1, 1, -1)
    image = F.pad(image, (REACH, REACH, 0, 0), mode="replicate")
    image = F.conv2d(image, across, groups=channels)
    image = F.pad(image, (0, 0, REACH, REACH), mode="replicate")
    return F.conv2d(image, across.transpose(2, 3), groups=channels)
