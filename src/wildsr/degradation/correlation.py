"""Correlate each image of a batch with its own kernel: four implementations.

All reflect the borders without repeating the edge (d c b | a b c d | c b a), repeatedly if an image
is smaller than the kernel, and none flips the kernel. Images are (B, C, H, W), kernels (B, k, k) or
(1, k, k) for all images, taps (B, k), k odd, all of one dtype. :mod:`wildsr.degradation.blur`
chooses the fastest.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def directly(image: Tensor, kernel: Tensor) -> Tensor:
    """Correlate by a grouped convolution, one group for each image and channel."""
    batch, channels, height, width = image.shape
    radius = kernel.shape[-1] // 2
    padded = reflect(image, (radius, radius), (radius, radius))
    weight = kernel.expand(batch, -1, -1).repeat_interleave(channels, 0)[:, None]
    with torch.autocast(image.device.type, enabled=False):
        out = F.conv2d(padded.flatten(0, 1)[None], weight, groups=batch * channels)
    return out.reshape(batch, channels, height, width)


def by_fft(image: Tensor, kernel: Tensor) -> Tensor:
    """Correlate by FFT: multiply the spectra."""
    height, width = image.shape[-2:]
    radius = kernel.shape[-1] // 2
    size = fast_length(height + 2 * radius), fast_length(width + 2 * radius)
    # The reflection also fills up to the fast length: zeros there would cost another copy.
    padded = reflect(image, (radius, size[0] - height - radius), (radius, size[1] - width - radius))
    # The conjugate makes it a correlation; nothing that is kept reaches past the padding.
    spectrum = torch.fft.rfft2(kernel, s=size).conj()[:, None]  # (B, 1, h, w // 2 + 1)
    return torch.fft.irfft2(torch.fft.rfft2(padded) * spectrum, s=size)[..., :height, :width]


def along_sides(image: Tensor, taps: Tensor) -> Tensor:
    """Correlate rows, then columns, with the same taps, by two grouped convolutions."""
    batch, channels, height, width = image.shape
    radius = taps.shape[-1] // 2
    padded = reflect(image, (radius, radius), (radius, radius)).flatten(0, 1)[None]
    weight = taps.repeat_interleave(channels, 0)[:, None, None]
    with torch.autocast(image.device.type, enabled=False):
        rows = F.conv2d(padded, weight, groups=batch * channels)
        out = F.conv2d(rows, weight.transpose(2, 3), groups=batch * channels)
    return out.reshape(batch, channels, height, width)


def by_matrices(image: Tensor, taps: Tensor) -> Tensor:
    """Correlate rows, then columns, with the same taps, by banded matrices: ``A image B^T``."""
    batch, channels, height, width = image.shape
    with torch.autocast(image.device.type, enabled=False):
        rows = torch.bmm(image.reshape(batch, -1, width), _banded(taps, width).mT)
        return _banded(taps, height)[:, None] @ rows.view(batch, channels, height, width)


def reflect(image: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """Pad (..., H, W) by reflection: (above, below) rows, (left, right) columns."""
    short = max(rows) >= image.shape[-2] or max(columns) >= image.shape[-1]
    # On CUDA the gradient of `pad` adds up in any order, and raises where that is forbidden.
    if not short and not torch.are_deterministic_algorithms_enabled():
        return F.pad(image, (*columns, *rows), mode="reflect")
    for dim, (before, after) in ((-1, columns), (-2, rows)):
        position = torch.arange(-before, image.shape[dim] + after, device=image.device)
        image = image.index_select(dim, _reflected(position, image.shape[dim]))
    return image


def fast_length(length: int) -> int:
    """The next length that has no prime factor above 5, for a fast FFT."""
    rest = length
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    return length if rest == 1 else fast_length(length + 1)


def _reflected(position: Tensor, length: int) -> Tensor:
    """Where a position outside of [0, length) is read, there and back again."""
    position = position.remainder(max(2 * length - 2, 1))
    return torch.minimum(position, 2 * length - 2 - position)


def _banded(taps: Tensor, length: int) -> Tensor:
    """(B, k) -> (B, length, length): the correlation of a reflected signal, as a matrix."""
    batch, size = taps.shape
    row = torch.arange(length, device=taps.device)[:, None]
    position = row + torch.arange(size, device=taps.device) - size // 2
    columns = _reflected(position, length).expand(batch, length, size)
    zeros = taps.new_zeros(batch, length, length)
    return zeros.scatter_add(2, columns, taps[:, None].expand(batch, length, size))
