"""Sliced Wasserstein distance between sets of images, on Laplacian pyramid patches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wildsr.error import UserError

SIDE = 7  # pixels of a patch
LEVELS = 3  # of the pyramid: details of about 2, 4 and 8 pixels and more
PATCHES = 128  # of each image and level; Karras et al. 2018
DIRECTIONS = 512
SEED = 0
FLATTEST = 1e-3  # the least deviation to divide by, a quarter of 1/255: below is only rounding
# Binomial taps of Burt and Adelson 1983, as in the paper's code.
_TAPS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def smallest_side(levels: int = LEVELS) -> int:
    """The shortest image side whose last pyramid level still holds a patch."""
    return (SIDE - 1) * 2 ** (levels - 1) + 1


def laplacian_pyramid(images: Tensor, levels: int = LEVELS) -> list[Tensor]:
    """Laplacian pyramid: band-passes from fine to coarse, then the remaining low-pass.

    ``L_k = G_k - up(G_(k+1))``, ``G_(k+1) = down(G_k)``, with 5 binomial taps each way and mirrored
    borders; any size, a side of n becomes ceil(n / 2).

    Args:
        images: (B, C, H, W).
        levels: how many.

    Returns:
        ``levels`` tensors; the sum of all, each brought up step by step, is the image.
    """
    pyramid, current = [], images
    for _ in range(levels - 1):
        coarser = _blurred(current)[..., ::2, ::2]
        pyramid.append(current - expand(coarser, (current.shape[-2], current.shape[-1])))
        current = coarser
    return [*pyramid, current]


def expand(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Upsample (B, C, h, w) to ``size`` (H, W) by 2: insert zeros, then apply the pyramid's blur.

    Normalised, so that constant images stay constant.
    """
    large = images.new_zeros(*images.shape[:-2], *size)
    large[..., ::2, ::2] = images
    seen = images.new_zeros(1, 1, *size)
    seen[..., ::2, ::2] = 1
    return _blurred(large) / _blurred(seen)


def laplacian_patches(
    images: Tensor, generator: torch.Generator | None = None, levels: int = LEVELS
) -> Tensor:
    """Draw random patches from every pyramid level of a set of images.

    Args:
        images: (B, 3, H, W), [0, 1]; sides of at least :func:`smallest_side`.
        generator: draws the places, on the CPU; by default one of a fixed seed, so that an image
            always has the same patches.
        levels: of the pyramid.

    Returns:
        (128 B, levels, 147) in float32 on the CPU: 7 x 7 pixels of three channels each.

    Raises:
        UserError: another shape, an image that is too small.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise UserError(
            f"Argument `images` must have the shape (B, 3, H, W), but got {tuple(images.shape)}."
        )
    least = smallest_side(levels)
    if min(images.shape[2:]) < least:
        raise UserError(
            f"Argument `images` must have sides of at least {least} pixels for {levels} levels, "
            f"but got {images.shape[2]} x {images.shape[3]}."
        )
    generator = generator or torch.Generator().manual_seed(SEED)
    which = torch.arange(len(images)).repeat_interleave(PATCHES)
    found = []
    for level in laplacian_pyramid(images.float(), levels):
        windows = level.unfold(2, SIDE, 1).unfold(3, SIDE, 1)  # (B, 3, h', w', 7, 7), a view
        rows, columns = (
            torch.randint(n, which.shape, generator=generator) for n in windows.shape[2:4]
        )
        found.append(windows[which, :, rows, columns].flatten(1).cpu())  # (128 B, 147)
    return torch.stack(found, dim=1)


def sliced_wasserstein(patches: Tensor, reference: Tensor) -> Tensor:
    r"""Sliced Wasserstein distance of two sets of patches, at each level.

    .. math:: SWD = 1000\, mean_\theta \int_0^1
        |F^{-1}_{\theta \cdot p}(q) - F^{-1}_{\theta \cdot r}(q)|\, dq

    over 512 random directions of unit length (fixed seed): one-dimensional Wasserstein-1
    distances. Patches are first standardised channel by channel with the reference's mean and
    standard deviation, so that a distance is in thousandths of the reference's deviation. (Karras
    et al. 2018, arXiv:1710.10196, section 5 and appendix; their code standardises each set by its
    own statistics, and so cannot notice noise that is too weak, or a loss of contrast.) Deviations
    below a quarter of 1/255 are replaced by that.

    It is not 0 for two samples of one distribution, but falls with the square root of their size:
    compare only values of sets of the same size.

    Args:
        patches: (N, levels, D), of :func:`laplacian_patches`.
        reference: (M, levels, D). The larger set is thinned out to the size of the smaller, by a
            permutation of a fixed seed.

    Returns:
        (levels,), 0 for equal sets. The papers' single figure is its mean.

    Raises:
        UserError: patches of different shapes, an empty set, numbers that are not finite.
    """
    if patches.ndim != 3 or patches.shape[1:] != reference.shape[1:] or not len(patches):
        raise UserError(
            "Argument `patches` must be (N, levels, D) and like `reference`, "
            f"but got {tuple(patches.shape)} and {tuple(reference.shape)}."
        )
    if not (patches.isfinite().all() and reference.isfinite().all()):
        raise UserError("Argument `patches` and `reference` must be finite, but got NaN or inf.")
    generator = torch.Generator().manual_seed(SEED)
    count = min(len(patches), len(reference))
    patches, reference = (
        x if len(x) == count else x[torch.randperm(len(x), generator=generator)[:count]]
        for x in (patches, reference)
    )
    directions = torch.randn(patches.shape[2], DIRECTIONS, generator=generator)
    directions = F.normalize(directions, dim=0).to(patches)
    distances = []
    for level in range(patches.shape[1]):
        x, y = (
            _scaled(z[:, level], reference[:, level]) @ directions for z in (patches, reference)
        )
        distances.append((x.sort(dim=0).values - y.sort(dim=0).values).abs().mean())
    return 1000 * torch.stack(distances)


def _scaled(patches: Tensor, reference: Tensor) -> Tensor:
    """(N, 147) minus the mean of each channel of the reference, over its deviation."""
    x, y = (z.unflatten(1, (3, -1)) for z in (patches, reference))
    mean, deviation = y.mean(dim=(0, 2)), y.std(dim=(0, 2), correction=0).clamp_min(FLATTEST)
    return ((x - mean[:, None]) / deviation[:, None]).flatten(1)


def _blurred(images: Tensor) -> Tensor:
    """Binomial 5 x 5, one axis after the other, with mirrored borders."""
    channels = images.shape[1]
    taps = images.new_tensor(_TAPS).expand(channels, 1, 5)
    padded = F.pad(images, (2, 2, 2, 2), mode="reflect")
    across = F.conv2d(padded, taps[:, :, None, :], groups=channels)
    return F.conv2d(across, taps[:, :, :, None], groups=channels)
