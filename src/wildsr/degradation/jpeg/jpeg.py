"""Compress batches as libjpeg does, differentiably."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from wildsr.degradation.argument import check_image, for_each
from wildsr.degradation.jpeg.chrominance import (
    SUBSAMPLINGS,
    cut,
    padded,
    subsampled,
    to_rgb,
    to_ycc,
    upsampled,
    whole,
)
from wildsr.error import unknown
from wildsr.pixels import at_least_float32

# Recommendation T.81 (1992), tables K.1 and K.2, rows of growing vertical frequency.
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
)

_TIE = 2**-20  # less than half of any distance from a tie, relative to what is rounded

SURROGATES = ("identity", "cubic")


def jpeg(
    image: Tensor,
    quality: Tensor | float,
    subsampling: str = "4:2:0",
    surrogate: str = "identity",
) -> Tensor:
    r"""Compress images as libjpeg would, with gradients.

    Follows the arithmetic of libjpeg(-turbo) step by step: 8 bits, YCbCr in integers (full range,
    BT.601), averaged chrominance, cosine transform of 8 x 8 blocks, coefficients divided by the
    tables of :func:`quantisation_tables` and rounded, and back again, with the triangle filter of
    libjpeg's "fancy upsampling". Only the cosine transform is in floating point, which rounds a few
    coefficients differently: the PSNR to libjpeg is 54 to 60 dB on photos, 48 on photos that were
    JPEG files before. (TF32 costs 0.2 dB: it holds the integer pixels and coefficients exactly.)

    Every rounding and clamping has the gradient of the identity (straight-through), so the gradient
    of the image is that of the transform without rounding: all of the luminance, and the
    chrominance through its subsampling. The gradient of the quality is

    .. math:: \frac{\partial\, t\, [c / t]}{\partial t} = [c / t] - c / t

    for a coefficient c and an entry t of its table, which is linear in the quality.

    Args:
        image: (B, 3, H, W) or gray (B, 1, H, W) in [0, 1], of any size.
        quality: 1 to 100, one number or (B,); values outside are clamped, as in libjpeg. Real
            numbers are allowed, tables are of integers. The gradient passes through the clamping:
            a learned quality has to be kept within the limits by its owner.
        subsampling: of the chrominance, one of ``SUBSAMPLINGS``; no effect on gray images.
        surrogate: the function whose gradient replaces that of rounding coefficients, [x].
            "identity": x. "cubic": [x] + (x - [x])^3 (Shin and Song 2017, "JPEG-resistant
            adversarial images"), with which coefficients that are rounded to 0 get almost no
            gradient. The result itself is the same with both.

    Returns:
        Multiples of 1/255 of the shape of ``image``, in float32 at least, also under autocast.

    Raises:
        UserError: a shape, a subsampling or a surrogate that is not among the above.
    """
    check_image(image, (3, 1))
    if subsampling not in SUBSAMPLINGS:
        raise unknown("Argument `subsampling`", subsampling, SUBSAMPLINGS)
    if surrogate not in SURROGATES:
        raise unknown("Argument `surrogate`", surrogate, SURROGATES)
    image = at_least_float32(image)
    tables = quantisation_tables(for_each("quality", quality, image).flatten())
    levels = whole((image * 255).sub_(128))
    if image.shape[1] == 1:
        decoded = _coded(levels, tables[0], surrogate)
    else:
        luminance, chrominance = to_ycc(levels)
        luminance = _coded(luminance, tables[0], surrogate)
        chrominance = _coded(subsampled(chrominance, subsampling), tables[1], surrogate)
        chrominance = upsampled(chrominance, subsampling, *image.shape[2:])
        decoded = to_rgb(luminance, chrominance)
    return decoded.add_(128).div_(255)


def quantisation_tables(quality: Tensor) -> tuple[Tensor, Tensor]:
    r"""The luminance and chrominance tables of libjpeg for a quality.

    .. math:: t = \lfloor (s\, T + 50) / 100 \rfloor \in [1, 255], \quad
        s = \lfloor 5000 / q \rfloor \text{ for } q < 50,\; \lfloor 200 - 2 q \rfloor \text{ else}

    with T of Annex K of ITU-T T.81.

    Args:
        quality: (B,), 1 to 100; values outside are clamped.

    Returns:
        Twice (B, 8, 8), integers, vertical frequency first; the gradient of ``quality`` is that of
        the equation without its roundings and limits.
    """
    clamped = quality + (quality.clamp(1, 100) - quality).detach()
    scale = torch.where(clamped < 50, 5000 / clamped, 200 - 2 * clamped)
    scale = whole(scale, 0.0, 0, 5000)[:, None, None]
    luminance, chrominance = (
        whole(scale * _base_table(rows, quality.device, quality.dtype) / 100, 0.5, 1, 255)
        for rows in (LUMINANCE, CHROMINANCE)
    )
    return luminance, chrominance


def _coded(plane: Tensor, table: Tensor, surrogate: str) -> Tensor:
    """Levels (B, C, H, W) through blocks, quantised by (B, 8, 8), and back."""
    height, width = plane.shape[2:]
    blocks = padded(plane, -width % 8, -height % 8)
    return cut(_Coded.apply(blocks, table.flatten(1), surrogate), height, width)


class _Coded(Function):
    """Planes whose sides are multiples of 8, quantised by tables (B, 64)."""

    @staticmethod
    def forward(ctx: Any, plane: Tensor, table: Tensor, surrogate: str) -> Tensor:
        steps = table[:, None]
        rounded = _coefficients(plane)
        ctx.cubic = surrogate == "cubic"
        ctx.identity = not ctx.cubic and not ctx.needs_input_grad[1]
        exact = None if ctx.identity else rounded / steps
        # libjpeg's coefficients are multiples of 1/8, which makes ties frequent; it rounds them
        # away from 0. Doing the same gains 6 dB of PSNR to libjpeg.
        rounded.mul_(8).round_().div_(steps * (8 - 8 * _TIE)).round_()
        if exact is not None:
            ctx.save_for_backward(exact, rounded.clone())
        return _plane(rounded.mul_(steps), plane.shape).add_(0.5).floor_().clamp_(-128, 127)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:
        if ctx.identity:
            return gradient, None, None
        if torch.is_grad_enabled():
            raise NotImplementedError(
                "The gradients of jpeg's quality and of its cubic surrogate have no gradient."
            )
        exact, rounded = ctx.saved_tensors
        spectrum = _coefficients(gradient)
        slope: Tensor | float = 3 * (exact - rounded).square() if ctx.cubic else 1.0
        table = (spectrum * (rounded - slope * exact)).sum(1) if ctx.needs_input_grad[1] else None
        return _plane(spectrum * slope, gradient.shape) if ctx.cubic else gradient, table, None


def _coefficients(plane: Tensor) -> Tensor:
    """(B, C, H, W) -> cosine transforms of its blocks (B, N, 64), N = C (H / 8) (W / 8)."""
    b, c, h, w = plane.shape
    blocks = plane.reshape(b, c, h // 8, 8, w // 8, 8).transpose(3, 4).reshape(b, -1, 64)
    with torch.autocast(plane.device.type, enabled=False):
        return blocks @ _cosines(plane.device, plane.dtype).T


def _plane(coefficients: Tensor, shape: torch.Size) -> Tensor:
    """The inverse of ``_coefficients``."""
    b, c, h, w = shape
    with torch.autocast(coefficients.device.type, enabled=False):
        blocks = coefficients @ _cosines(coefficients.device, coefficients.dtype)
    return blocks.view(b, c, h // 8, w // 8, 8, 8).transpose(3, 4).reshape(shape)


@lru_cache(maxsize=16)
def _cosines(device: torch.device, dtype: torch.dtype) -> Tensor:
    """The orthonormal cosine transform of 8 x 8 blocks, (64 coefficients, 64 pixels)."""
    with torch.inference_mode(False):
        k = torch.arange(8, dtype=torch.float64)
        cosine = torch.cos((2 * k + 1) * k[:, None] * math.pi / 16) / 2
        cosine[0] /= math.sqrt(2)
        return torch.kron(cosine, cosine).to(device, dtype)


@lru_cache(maxsize=16)
def _base_table(
    rows: tuple[tuple[int, ...], ...], device: torch.device, dtype: torch.dtype
) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(rows, device=device, dtype=dtype)
