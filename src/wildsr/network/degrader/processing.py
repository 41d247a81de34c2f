"""In-camera processing of an image before compression: denoising, then sharpening."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

REACH, NEAR = 2, 1.2  # LR pixels: radius and spatial standard deviation of the bilateral filter
UNLIKE = 3.0  # its range standard deviation, in standard deviations of the noise
FAR, AROUND = 3, 1  # LR pixels: radius of the search and of the patches of non-local means
ALIKE = 1.5  # its filtering parameter h, in standard deviations of the noise
NOTHING = -60.0  # its exponential is 0; numbers below 1e-38 are slow to compute with
RADIUS = 1.0  # LR pixels, standard deviation of the unsharp mask
TAPS = 4  # LR pixels, half the support of the mask


def denoised(image: Tensor, amount: Tensor, level: Tensor, patches: Tensor) -> Tensor:
    """Denoise as phones and raw converters do: flat regions are smoothed, edges are kept.

    Each pixel becomes a mean of those around it that are alike. What is compared is pixels, by a
    bilateral filter (Tomasi & Manduchi, ICCV 1998), or the patches around them, by non-local means
    (Buades et al., CVPR 2005), which keeps far more of the texture. Both compare by the mean
    squared difference of the channels, in units of the noise level.

    Args:
        image: (B, C, H, W) with noise, in [0, 1].
        amount: (B,) in [0, 1], weight of the filtered image; 0 leaves the image as it is.
        level: (B,) standard deviation of the noise at half brightness, in [0, 1].
        patches: (B,) above 0.5 where patches are compared.
    """
    if not amount.requires_grad and not bool((amount > 0).any()):
        return image
    quiet, by_patches = image.clone(), patches > 0.5
    for some, filtered in ((~by_patches, _bilateral), (by_patches, _non_local_means)):
        if bool(some.any()):
            quiet[some] = filtered(image[some], level[some])
    return torch.lerp(image, quiet, amount[:, None, None, None])


def _bilateral(image: Tensor, level: Tensor) -> Tensor:
    padded = F.pad(image, [REACH] * 4, mode="replicate")
    scale = -0.5 / (UNLIKE * level).clamp(min=1e-4).square()[:, None, None, None]
    total, weights = image.clone(), torch.ones_like(image[:, :1])
    for y, x in _around(REACH):
        other = _at(padded, y + REACH, x + REACH, image.shape[-2:])
        unlike = (other - image).square().mean(1, keepdim=True)
        distance = unlike * scale - (y * y + x * x) / (2 * NEAR**2)
        weight = torch.exp(distance.clamp(min=NOTHING))
        total.addcmul_(weight, other)
        weights += weight
    return total / weights


def _non_local_means(image: Tensor, level: Tensor) -> Tensor:
    size, edge = image.shape[-2:], FAR + AROUND
    padded = F.pad(image, [edge + FAR] * 4, mode="replicate")
    pixels = padded[..., FAR:-FAR, FAR:-FAR]  # those of the image, and ``edge`` more on each side
    values = image.shape[1] * (2 * AROUND + 1) ** 2  # of a patch
    scale = -1 / (values * (ALIKE * level).clamp(min=1e-4).square()[:, None, None, None])
    total, weights = image.clone(), torch.ones_like(image[:, :1])
    for y, x in _around(FAR):
        if (y, x) > (0, 0):  # two pixels weigh the same for each other
            other = _at(padded, FAR + y, FAR + x, pixels.shape[-2:])
            unlike = (other - pixels).square().sum(1, keepdim=True)
            distance = _patch_sums(unlike) * scale  # FAR more on each side
            weight = torch.exp(distance.clamp(min=NOTHING))
            ahead, behind = _at(weight, FAR, FAR, size), _at(weight, FAR - y, FAR - x, size)
            total.addcmul_(ahead, _at(padded, edge + FAR + y, edge + FAR + x, size))
            total.addcmul_(behind, _at(padded, edge + FAR - y, edge + FAR - x, size))
            weights += ahead + behind
    return total / weights


def _patch_sums(image: Tensor) -> Tensor:
    """Sums over the patch around each pixel of (B, C, H, W), without those next to the border."""
    for dim in (2, 3):
        inner = image.shape[dim] - 2 * AROUND
        shifted = [image.narrow(dim, start, inner) for start in range(2 * AROUND + 1)]
        image = reduce(torch.add, shifted)
    return image


def _at(image: Tensor, top: int, left: int, size: Sequence[int]) -> Tensor:
    return image[..., top : top + size[0], left : left + size[1]]


def _around(reach: int) -> list[tuple[int, int]]:
    steps = range(-reach, reach + 1)
    return [(y, x) for y in steps for x in steps if (y, x) != (0, 0)]


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
