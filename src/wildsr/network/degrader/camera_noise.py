"""Noise that is correlated between pixels, as demosaicing and denoising leave it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

RADIUS = 4  # LR pixels


def correlated(noise: Tensor, width: Tensor) -> Tensor:
    r"""Filter white noise by a Gaussian and restore its standard deviation.

    .. math:: n = (g \otimes g) * z, \quad g_t \propto \exp(-t^2 / 2 w^2), \quad \sum_t g_t^2 = 1

    so that pixels at a distance d along an axis have the correlation exp(-d^2 / 4 w^2), as long as
    w is neither below half a pixel, where it tends to 0, nor above 2, where the filter is cut off.

    Args:
        noise: standard normal (B, C, H + 2 RADIUS, W + 2 RADIUS); the filter uses up the margin,
            so that the variance is the same at the borders.
        width: w in pixels, a scalar; positive.

    Returns:
        (B, C, H, W), differentiable in ``width``; in float32 at least.
    """
    dtype = torch.promote_types(noise.dtype, torch.float32)
    taps = torch.arange(-RADIUS, RADIUS + 1, device=noise.device, dtype=dtype)
    taps = torch.exp(-0.5 * (taps / width.to(dtype)) ** 2)
    taps = taps / torch.linalg.vector_norm(taps)
    with torch.autocast(noise.device.type, enabled=False):
        channels = noise.to(dtype).flatten(0, 1)[:, None]  # (BC, 1, H, W): quicker than groups
        rows = F.conv2d(channels, taps.view(1, 1, -1, 1))
        return F.conv2d(rows, taps.view(1, 1, 1, -1)).unflatten(0, noise.shape[:2])[:, :, 0]
