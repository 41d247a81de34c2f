"""Strength of JPEG's 8 x 8 grid in a photo, wherever the grid begins."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from wildsr.pixels import luma

BLOCK = 8
FINEST = 3  # sums of the two frequency numbers below this are scene
NOTHING = 1.5  # 1/255; a coefficient below it was quantised to 0, as far as 8 bits let one see


def jpeg_grid(photo: Tensor) -> Tensor:
    """Share of vanished DCT coefficients on the best of 64 grids, above the median grid's.

    JPEG rounds the coefficients of the blocks of one grid, and most fine ones vanish there; on all
    other grids the same pixels have coefficients like any photo. So without JPEG the 64 shares
    are nearly the same, whether the photo is noisy (few vanish) or clean (many do).

    Args:
        photo: (3, H, W), 0 to 255, sides of at least 16 pixels.

    Returns:
        0 to 1, float64: about 0.01 without JPEG, more for few photos' worth of blocks.
    """
    coefficients = F.conv2d(luma(photo.double())[None], _cosines())[0].abs()
    vanished = (coefficients < NOTHING).double().mean(0)
    shares = torch.stack(
        [vanished[y::BLOCK, x::BLOCK].mean() for y in range(BLOCK) for x in range(BLOCK)]
    )
    return shares.max() - shares.median()


def _cosines() -> Tensor:
    """(n, 1, 8, 8) the basis images of the fine, not purely horizontal or vertical frequencies."""
    n = torch.arange(BLOCK, dtype=torch.float64)
    waves = torch.cos(math.pi * (2 * n + 1) * n[:, None] / (2 * BLOCK)) / 2
    images = [
        waves[u].outer(waves[v])
        for u in range(1, BLOCK)
        for v in range(1, BLOCK)
        if u + v >= FINEST
    ]
    return torch.stack(images)[:, None]
