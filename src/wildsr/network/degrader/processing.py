"""What a camera's software does to a picture before it is coded: denoising, then sharpening."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

REACH, NEAR = 2, 1.2  # LR pixels: how far denoising looks, and its spatial standard deviation
UNLIKE = 3.0  # standard deviations of the noise by which pixels differ that are hardly averaged
RADIUS = 1.0  # LR pixels, standard deviation of the unsharp mask
TAPS = 4  # LR pixels, half the support of the mask


def denoised(image: Tensor, amount: Tensor, level: Tensor) -> Tensor:
    """Smooth where neighbours differ by no more than noise; edges stay.

    A bilateral filter (Tomasi & Manduchi, ICCV 1998) on the mean squared difference of the three
    channels, its range tied to the noise, blended with what it was given. It stands for whatever
    denoises in phones and converters, all of which clean flat places and spare edges.

    Args:
        image: (B, 3, H, W) with noise, in [0, 1].
        amount: (B,) in [0, 1]; 0 leaves the image as it is.
        level: (B,) standard deviation of the noise at half brightness, in [0, 1].
    """
    if not amount.requires_grad and not bool((amount > 0).any()):
        return image
    height, width = image.shape[-2:]
    padded = F.pad(image, [REACH] * 4, mode="replicate")
    scale = -0.5 / (UNLIKE * level).clamp(min=1e-4).square()[:, None, None, None]
    total, weights = image.clone(), torch.ones_like(image[:, :1])
    for y in range(-REACH, REACH + 1):
        for x in range(-REACH, REACH + 1):
            if x == y == 0:
                continue
            top, left = y + REACH, x + REACH
            other = padded[..., top : top + height, left : left + width]
            unlike = (other - image).square().mean(1, keepdim=True)
            weight = torch.exp(unlike * scale - (y * y + x * x) / (2 * NEAR**2))
            total, weights = total + weight * other, weights + weight
    return torch.lerp(image, total / weights, amount[:, None, None, None])


def sharpened(image: Tensor, amount: Tensor) -> Tensor:
    """Unsharp masking, ``image + amount (image - blurred)``, by a Gaussian of ``RADIUS``.

    Args:
        image: (B, C, H, W).
        amount: (B,); 0 leaves the image as it is, less than 0 softens it.
    """
    if not amount.requires_grad and not bool((amount != 0).any()):
        return image
    taps = torch.arange(-TAPS, TAPS + 1, device=image.device, dtype=image.dtype)
    taps = torch.softmax(-0.5 * (taps / RADIUS) ** 2, 0)
    rows = F.pad(image.flatten(0, 1)[:, None], [TAPS] * 4, mode="replicate")
    soft = F.conv2d(F.conv2d(rows, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    return image + amount[:, None, None, None] * (image - soft.view_as(image))
