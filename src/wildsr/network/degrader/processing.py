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
    scale = 0.5 / (UNLIKE * level).clamp(min=1e-4).square() / image.shape[1]
    return _means_of_alike(image, scale, REACH, 0, 0.5 / NEAR**2)


def _non_local_means(image: Tensor, level: Tensor) -> Tensor:
    values = image.shape[1] * (2 * AROUND + 1) ** 2  # of a patch
    return _means_of_alike(
        image, 1 / (values * (ALIKE * level).clamp(min=1e-4).square()), FAR, AROUND
    )


def _means_of_alike(
    image: Tensor, scale: Tensor, far: int, around: int, fall: float = 0.0
) -> Tensor:
    """Replace each pixel by a mean of the square of pixels around it, weighted by likeness.

    Args:
        image: (B, C, H, W).
        scale: (B,); a weight is exp(-scale * squared difference of the patches).
        far: radius of the square, pixels.
        around: radius of the patches; 0 compares pixels.
        fall: a weight falls by exp(-fall * squared distance), too.
    """
    size, edge = image.shape[-2:], far + around
    padded = F.pad(image, [edge + far] * 4, mode="replicate")
    pixels = padded[..., far:-far, far:-far]  # those of the image, and ``edge`` more on each side
    scale = -scale[:, None, None, None]
    total, weights = image.clone(), torch.ones_like(image[:, :1])
    for y, x in _ahead(far):
        other = _at(padded, far + y, far + x, pixels.shape[-2:])
        unlike = (other - pixels).square().sum(1, keepdim=True)
        distance = _patch_sums(unlike, around) * scale - fall * (y * y + x * x)
        weight = torch.exp(distance.clamp(min=NOTHING))  # ``far`` more on each side
        # Two pixels weigh the same for each other.
        ahead, behind = _at(weight, far, far, size), _at(weight, far - y, far - x, size)
        total.addcmul_(ahead, _at(padded, edge + far + y, edge + far + x, size))
        total.addcmul_(behind, _at(padded, edge + far - y, edge + far - x, size))
        weights += ahead + behind
    return total / weights


def _patch_sums(image: Tensor, around: int) -> Tensor:
    """Sums over the patch around each pixel of (B, C, H, W), without those next to the border."""
    for dim in (2, 3):
        inner = image.shape[dim] - 2 * around
        shifted = [image.narrow(dim, start, inner) for start in range(2 * around + 1)]
        image = reduce(torch.add, shifted)
    return image


def _at(image: Tensor, top: int, left: int, size: Sequence[int]) -> Tensor:
    return image[..., top : top + size[0], left : left + size[1]]


def _ahead(reach: int) -> list[tuple[int, int]]:
    """One of each two opposite steps, down and to the right, of at most ``reach``."""
    steps = range(-reach, reach + 1)
    return [(y, x) for y in steps for x in steps if (y, x) > (0, 0)]


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
