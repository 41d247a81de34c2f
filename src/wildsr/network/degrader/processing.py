"""In-camera processing of an image before compression: denoising, then sharpening."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

REACH, NEAR = 2, 1.2  # LR pixels: radius and spatial standard deviation of the bilateral filter
UNLIKE = 3.0  # its range standard deviation, in standard deviations of the noise
RADIUS = 1.0  # LR pixels, standard deviation of the unsharp mask
TAPS = 4  # LR pixels, half the support of the mask


def denoised(image: Tensor, amount: Tensor, level: Tensor) -> Tensor:
    """Denoise by a bilateral filter: flat regions are smoothed, edges are kept.

    The filter (Tomasi & Manduchi, ICCV 1998) compares pixels by the mean squared difference of
    their channels; its range parameter is proportional to the noise level, and its result is
    blended with the input. It stands for the denoising of phones and raw converters in general.

    Args:
        image: (B, C, H, W) with noise, in [0, 1].
        amount: (B,) in [0, 1], weight of the filtered image; 0 leaves the image as it is.
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
    """Unsharp masking, ``image + amount (image - blurred)``, with a Gaussian of ``RADIUS``.

    Args:
        image: (B, C, H, W).
        amount: (B,); 0 leaves the image as it is, negative values soften it.
    """
    if not amount.requires_grad and not bool((amount != 0).any()):
        return image
    taps = torch.arange(-TAPS, TAPS + 1, device=image.device, dtype=image.dtype)
    taps = torch.softmax(-0.5 * (taps / RADIUS) ** 2, 0)
    rows = F.pad(image.flatten(0, 1)[:, None], [TAPS] * 4, mode="replicate")
    soft = F.conv2d(F.conv2d(rows, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    return image + amount[:, None, None, None] * (image - soft.view_as(image))
