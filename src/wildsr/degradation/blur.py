"""Blur and subsampling as a sensor does them: one kernel, or one for each sample."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wildsr.error import UserError


def centred_grid(size: int, scale: int) -> Tensor:
    """Offsets (2, k, k), x then y, of a kernel's taps from the middle of an output pixel, in HR pixels.

    The middle of output pixel ``i`` lies at HR coordinate ``scale * i + (scale - 1) / 2``, between two HR pixels for
    an even scale; the kernel's middle tap is HR pixel ``scale * i + (scale - 1) // 2`` (see ``blur_and_sample``).
    """
    if size % 2 == 0 or size < 1:
        raise UserError(f"Argument `kernel_size` must be an odd number, but got {size}.")
    taps = torch.arange(size, dtype=torch.float32) - size // 2
    taps = taps - ((scale - 1) / 2 - (scale - 1) // 2)
    y, x = torch.meshgrid(taps, taps, indexing="ij")
    return torch.stack([x, y])


def gaussian_kernel(a: Tensor, b: Tensor, c: Tensor, offsets: Tensor) -> Tensor:
    """Gaussian (k, k) summing to 1, of covariance ``L L^T`` with ``L = [[a, 0], [b, c]]``.

    Args:
        a: standard deviation along x, in pixels; positive.
        b: shear.
        c: the remaining standard deviation along y; positive.
        offsets: (2, k, k), x then y, of the taps from the centre.
    """
    x, y = offsets
    u = x / a
    v = (y - b * u) / c
    return torch.softmax(-0.5 * (u * u + v * v).flatten(), 0).view(x.shape)


def blur_and_sample(hr: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """``lr[i, j] = sum_uv kernel[u, v] * hr[s i + o + u - r, s j + o + v - r]``, borders reflected.

    ``r = k // 2`` and ``o = (s - 1) // 2``: the kernel's middle tap is the HR pixel at, or just before, the middle of
    the output pixel. Differentiable in both arguments.

    Args:
        hr: (B, C, H, W); H and W multiples of ``scale`` and larger than ``k // 2 + scale``.
        kernel: (1, k, k) for all samples or (B, k, k) for one each; k odd.
        scale: the stride ``s``.

    Returns:
        (B, C, H / s, W / s).
    """
    b, c, h, w = hr.shape
    k, before = kernel.shape[-1], kernel.shape[-1] // 2 - (scale - 1) // 2
    after = k - before - scale
    if h % scale or w % scale or min(h, w) <= max(before, after):
        raise UserError(
            f"Argument `hr` must have sides that are multiples of scale {scale} and above "
            f"{max(before, after)}, but got {h} x {w}."
        )
    # A kernel smaller than the stride would need negative padding; F.pad then crops, which is what is meant.
    padded = _reflect(hr, before, after)
    if len(kernel) == 1:
        flat = padded.reshape(b * c, 1, *padded.shape[-2:])
        return F.conv2d(flat, kernel[:, None], stride=scale).view(b, c, h // scale, w // scale)
    return _by_fourier(padded, kernel)[..., ::scale, ::scale]


def _reflect(hr: Tensor, before: int, after: int) -> Tensor:
    inner = F.pad(hr, [max(before, 0), max(after, 0)] * 2, mode="reflect")
    crop = [min(before, 0), min(after, 0)] * 2
    return F.pad(inner, crop) if any(crop) else inner


def _by_fourier(padded: Tensor, kernel: Tensor) -> Tensor:
    """Valid correlation of (B, C, H, W) with (B, k, k).

    In the frequency domain: the gradient of a grouped 21x21 convolution costs 27 times as much on a CPU.
    """
    h, w = padded.shape[-2:]
    k = kernel.shape[-1]
    image = torch.fft.rfft2(padded.float() if padded.dtype != torch.float64 else padded)
    taps = torch.fft.rfft2(kernel.to(padded.dtype if padded.dtype == torch.float64 else torch.float32), s=(h, w))
    full = torch.fft.irfft2(image * taps.conj()[:, None], s=(h, w))
    return full[..., : h - k + 1, : w - k + 1].to(padded.dtype)
