"""Regularisers of blur kernels, from KernelGAN.

Each takes ``kernel`` (B, k, k), in HR pixels, and returns the mean over B. They are those of
Bell-Kligler et al. 2019 (arXiv:1909.06581), section 4.3, with the constants of the authors' code
where the paper gives none; the paper's weights are 0.5, 0.5, 5 and 1 in the order of this file.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.pixels import at_least_float32


def kernel_sum(kernel: Tensor) -> Tensor:
    """Mean of |1 - sum k| for ``kernel`` (B, k, k); see :class:`KernelSum`."""
    return (1 - _square(kernel).sum((1, 2))).abs().mean()


def kernel_boundaries(kernel: Tensor, weight: float = 30.0) -> Tensor:
    """Mean of |m k| for ``kernel`` (B, k, k); see :class:`KernelBoundaries`."""
    kernel = _square(kernel)
    size = kernel.shape[-1]
    offsets = torch.arange(size, device=kernel.device, dtype=kernel.dtype) - (size - 1) / 2
    gaussian = torch.exp(-offsets.square() / (2 * size**2))
    mask = weight * (1 - gaussian[:, None] * gaussian[None] / gaussian.max() ** 2)
    frame = size // 4 - 1  # taps
    if frame > 0:
        mask[frame:-frame, frame:-frame] = 0
    return (mask * kernel).abs().mean()


def kernel_sparsity(kernel: Tensor, power: float = 0.2) -> Tensor:
    """Mean of |k|^power over all taps of ``kernel`` (B, k, k); see :class:`KernelSparsity`."""
    size = _square(kernel).abs()
    nothing = size == 0  # where the derivative would be infinite
    return size.masked_fill(nothing, 1).pow(power).masked_fill(nothing, 0).mean()


def kernel_centre(kernel: Tensor, centre: float = 0.5) -> Tensor:
    """Mean squared offset of the centre of mass of ``kernel`` (B, k, k).

    See :class:`KernelCentre`.
    """
    kernel = _square(kernel)
    size = kernel.shape[-1]
    taps = torch.arange(size, device=kernel.device, dtype=kernel.dtype) - (size - 1) / 2 - centre
    total = kernel.sum((1, 2))
    down, right = (kernel.sum(2) * taps).sum(1) / total, (kernel.sum(1) * taps).sum(1) / total
    return (down.square().mean() + right.square().mean()) / 2


class KernelSum(nn.Module):
    """Penalty on kernels whose sum is not 1: ``|1 - sum k|``."""

    def forward(self, kernel: Tensor) -> Tensor:
        """A scalar from ``kernel`` (B, k, k); 0 for a kernel of sum 1."""
        return kernel_sum(kernel)


class KernelBoundaries(nn.Module):
    """Penalty on taps near the border: mean ``|m k|``, ``m`` a mask that grows outwards.

    ``m = weight (1 - g / max g)``, g a Gaussian as wide (its standard deviation) as the kernel's
    side: ``0.19 weight`` in a corner of 13 x 13. As in the authors' code, m is 0 in all but a frame
    of ``k // 4 - 1`` taps (two of 13), so that no kernel is punished for its width; kernels below
    8 x 8 have no such inner part.

    Args:
        weight: of the mask, 30 in the authors' code.

    Raises:
        UserError: a weight that is not positive.
    """

    def __init__(self, weight: float = 30.0) -> None:
        super().__init__()
        _check_positive("weight", weight)
        self.weight = weight

    def forward(self, kernel: Tensor) -> Tensor:
        """A scalar from ``kernel`` (B, k, k)."""
        return kernel_boundaries(kernel, self.weight)


class KernelSparsity(nn.Module):
    """Sparsity penalty, against many small taps: mean ``|k|^power`` over all taps.

    Args:
        power: below 1; 0.2 in the paper.

    Raises:
        UserError: a power that is not positive.
    """

    def __init__(self, power: float = 0.2) -> None:
        super().__init__()
        _check_positive("power", power)
        self.power = power

    def forward(self, kernel: Tensor) -> Tensor:
        """A scalar from ``kernel`` (B, k, k); taps that are exactly 0 get no gradient."""
        return kernel_sparsity(kernel, self.power)


class KernelCentre(nn.Module):
    """Penalty on off-centre kernels: squared distance of the centre of mass from its place.

    The mean of both directions.

    Args:
        centre: where it belongs, in pixels right of and below the middle of the kernel; 0.5 for an
            odd kernel that downscales by 2, whose output pixel lies between two input pixels.
    """

    def __init__(self, centre: float = 0.5) -> None:
        super().__init__()
        self.centre = centre

    def forward(self, kernel: Tensor) -> Tensor:
        """A scalar from ``kernel`` (B, k, k), whose sums must not be 0."""
        return kernel_centre(kernel, self.centre)


def _square(kernel: Tensor) -> Tensor:
    if kernel.ndim != 3 or kernel.shape[1] != kernel.shape[2]:
        raise UserError(f"Argument `kernel` must be (B, k, k), but got {tuple(kernel.shape)}.")
    return at_least_float32(kernel)


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise UserError(f"Argument `{name}` must be above 0, but got {value!r}.")
