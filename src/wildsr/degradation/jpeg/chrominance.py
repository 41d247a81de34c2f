"""Colour conversion and chroma subsampling in libjpeg's integer arithmetic.

All values are 8-bit levels minus 128, [-128, 127], so that no colour matrix needs an offset. Sums
are exact in float32, so the integers are those of libjpeg; every rounding and clamping has the
gradient of the identity. Written out instead of using pooling, interpolation and matrix products,
which are several times slower on a CPU, imprecise with TF32 and, in the backward pass, not
deterministic on CUDA.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")

_UNIT = 2**-16  # of libjpeg's integers
_TO_YCC = (
    (19595 * _UNIT, 38470 * _UNIT, 7471 * _UNIT),
    (-11059 * _UNIT, -21709 * _UNIT, 32768 * _UNIT),
    (32768 * _UNIT, -27439 * _UNIT, -5329 * _UNIT),
)
_TO_RGB = (
    (1.0, 0.0, 91881 * _UNIT),
    (1.0, -22554 * _UNIT, -46802 * _UNIT),
    (1.0, 116130 * _UNIT, 0.0),
)

Matrix = tuple[tuple[float, ...], ...]


def whole(
    x: Tensor, offset: Tensor | float = 0.5, lowest: float = -128, highest: float = 127
) -> Tensor:
    """``floor(x + offset)``, clamped, **in place**, with the gradient of the identity.

    Args:
        x: any shape; overwritten.
        offset: 0.5 rounds to the nearest; broadcast against ``x``.
        lowest: lower limit.
        highest: upper limit.
    """
    result: Tensor = _Whole.apply(x, offset, lowest, highest)
    return result


def to_ycc(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Convert RGB to YCbCr in integers (BT.601, full range).

    (B, 3, H, W) -> Y (B, 1, H, W), CbCr (B, 2, H, W).
    """
    luminance, chrominance = _Mixed.apply(_TO_YCC, (1, 2), rgb)
    return whole(luminance), whole(chrominance, 0.5 - _UNIT)  # ties up, and down


def to_rgb(luminance: Tensor, chrominance: Tensor) -> Tensor:
    """Convert Y (B, 1, H, W) and CbCr (B, 2, H, W) back to RGB (B, 3, H, W).

    The inverse of :func:`to_ycc` up to rounding.
    """
    (rgb,) = _Mixed.apply(_TO_RGB, (3,), luminance, chrominance)
    return whole(rgb)


def subsampled(chrominance: Tensor, subsampling: str) -> Tensor:
    """Subsample chrominance (B, 2, H, W) by averaging 1 x 2 or 2 x 2 pixels.

    Ties alternately round down and up, as in libjpeg, and as there columns are first padded to
    whole blocks of 8 by repetition, rows only to pairs.

    Args:
        chrominance: CbCr.
        subsampling: one of ``SUBSAMPLINGS``.
    """
    if subsampling == "4:4:4":
        return chrominance
    height, width = chrominance.shape[2:]
    if subsampling == "4:2:2":
        sums = _sums_of_pairs(padded(chrominance, -width % 16, 0), 3)
        return whole(sums / 2, _in_turn((0.0, 0.5), sums))
    rows = _sums_of_pairs(padded(chrominance, -width % 16, -height % 2), 2)
    sums = _sums_of_pairs(rows, 3)
    return whole(sums / 4, _in_turn((0.25, 0.5), sums))


def upsampled(chrominance: Tensor, subsampling: str, height: int, width: int) -> Tensor:
    """Upsample chrominance (B, 2, h, w) to (B, 2, height, width) by libjpeg's "fancy upsampling".

    That is 3/4 of the nearest value and 1/4 of the next one in each direction; plain repetition
    for one or two columns.
    """
    if subsampling == "4:4:4":
        return chrominance
    fine = cut(chrominance, chrominance.shape[2], (width + 1) // 2)
    ties = (1 / 4, 2 / 4)
    if width <= 4:
        fine = fine.repeat_interleave(2, 3)
        fine = fine.repeat_interleave(2, 2) if subsampling == "4:2:0" else fine
    else:
        if subsampling == "4:2:0":
            fine = _Triangle.apply(fine, 2)
            ties = (8 / 16, 7 / 16)
        fine = _Triangle.apply(fine, 3)
    return cut(whole(fine, _in_turn(ties, fine)), height, width)


def padded(x: Tensor, right: int, bottom: int) -> Tensor:
    """Pad ``x`` (B, C, H, W) by repeating the last column and row."""
    return F.pad(x, (0, right, 0, bottom), "replicate") if right or bottom else x


def cut(x: Tensor, height: int, width: int) -> Tensor:
    """Crop ``x`` (B, C, H, W) to its top left; nothing is copied if it has that size already."""
    return x if x.shape[2:] == (height, width) else x[:, :, :height, :width]


def _sums_of_pairs(x: Tensor, dim: int) -> Tensor:
    even, odd = x.unflatten(dim, (-1, 2)).unbind(dim + 1)
    return even + odd


def _in_turn(values: tuple[float, float], like: Tensor) -> Tensor:
    """(W,): one value for even, the other for odd columns."""
    return _repeated(values, like.shape[-1], like.device, like.dtype)


@lru_cache(maxsize=64)
def _repeated(
    values: tuple[float, float], length: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    with torch.inference_mode(False):
        pairs = -(-length // 2)
        return torch.tensor(values * pairs, device=device, dtype=dtype)[:length]


class _Whole(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, offset: Tensor | float, lowest: float, highest: float
    ) -> Tensor:
        ctx.mark_dirty(x)
        return x.add_(offset).floor_().clamp_(lowest, highest)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return gradient, None, None, None


class _Mixed(Function):
    """A matrix times the channels of all ``planes``; the result in tensors of ``counts`` channels.

    Linear, and its own gradient with the transposed matrix.
    """

    @staticmethod
    def forward(
        ctx: Any, matrix: Matrix, counts: tuple[int, ...], *planes: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.back = tuple(zip(*matrix, strict=True)), tuple(plane.shape[1] for plane in planes)
        batch, _, height, width = planes[0].shape
        mixed = tuple(planes[0].new_empty(batch, count, height, width) for count in counts)
        channels = [channel for plane in planes for channel in plane.unbind(1)]
        outs = [out for tensor in mixed for out in tensor.unbind(1)]
        for row, out in zip(matrix, outs, strict=True):
            # Summed from the smallest to the largest term, which is exact while below 256.
            torch.mul(channels[2], row[2], out=out)
            out.add_(channels[1], alpha=row[1]).add_(channels[0], alpha=row[0])
        return mixed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *_Mixed.apply(*ctx.back, *gradients)


class _Triangle(Function):
    """Twice the values along a dimension: 3/4 of the nearest one and 1/4 of the next."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int) -> Tensor:
        ctx.dim, shape = dim, list(x.shape)
        shape[dim] *= 2
        fine = x.new_empty(shape)
        for half, taps in _halves(fine, dim):
            torch.mul(x, 0.75, out=half)
            for to, source in taps:
                half.narrow(dim, *to).add_(x.narrow(dim, *source), alpha=0.25)
        return fine

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        dim = ctx.dim
        (even, even_taps), (odd, odd_taps) = _halves(gradient, dim)
        coarse = (even + odd) * 0.75
        for half, taps in ((even, even_taps), (odd, odd_taps)):
            for to, source in taps:
                coarse.narrow(dim, *source).add_(half.narrow(dim, *to), alpha=0.25)
        return coarse, None


Run = tuple[int, int]  # start and length


def _halves(fine: Tensor, dim: int) -> list[tuple[Tensor, list[tuple[Run, Run]]]]:
    """The even and the odd values, and which runs of them take which runs of the coarse ones."""
    even, odd = fine.unflatten(dim, (-1, 2)).unbind(dim + 1)
    rest = even.shape[dim] - 1
    before = [((1, rest), (0, rest)), ((0, 1), (0, 1))]  # the first repeats itself
    after = [((0, rest), (1, rest)), ((rest, 1), (rest, 1))]
    return [(even, before), (odd, after)]
