"""Colour statistics of a photo: five numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.pixels import YCBCR

STATISTICS = ("brightness", "contrast", "blue", "red", "colourfulness")


def colour_statistics(photo: Tensor) -> Tensor:
    """Mean and standard deviation of the luma, means of Cb and Cr, and their spread.

    The spread is the root of the sum of the variances of Cb and Cr. In a gray photo the last
    three are 0.

    Args:
        photo: (3, H, W), 0 to 255.

    Returns:
        (5,) in 1/255, in the order of ``STATISTICS``, float64.
    """
    opponent = torch.tensor(YCBCR, dtype=torch.float64) @ photo.double().flatten(1)
    mean, variance = opponent.mean(1), opponent.var(1, correction=0)
    spread = (variance[1] + variance[2]).sqrt()
    return torch.stack([mean[0], variance[0].sqrt(), mean[1], mean[2], spread])
