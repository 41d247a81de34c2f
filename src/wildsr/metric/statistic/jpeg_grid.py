"""Strength of JPEG's grid of 8 x 8 blocks in a photo, at any offset."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from wildsr.pixels import luma

BLOCK = 8
FINEST = 3  # coefficients whose frequency indices sum to less belong to the scene
NOTHING = 1.5  # 1/255; smaller coefficients count as quantised to 0 (8-bit rounding hides more)


def jpeg_grid(photo: Tensor) -> Tensor:
    """Share of zero DCT coefficients at the best of 64 grid offsets, minus the median share.

    JPEG quantises the coefficients of the blocks of one grid, and most high frequencies become 0
    there; at all other offsets the coefficients are like those of any photo. Without JPEG the 64
    shares are nearly equal, whether the photo is noisy (few zeros) or clean (many).

    Args:
        photo: (3, H, W), 0 to 255, sides of at least 16 pixels.

    Returns:
        A scalar, 0 to 1, float64: about 0.01 without JPEG, more for small photos.
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
