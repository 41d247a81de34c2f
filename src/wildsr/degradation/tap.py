"""Coordinates of blur kernels' taps, and checks of kernel parameters."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from wildsr.argument import check_integer
from wildsr.error import UserError


def check_size(size: int) -> None:
    """Refuse kernel sizes that are not odd.

    Raises:
        UserError: a size that is not an odd integer of at least 1.
    """
    check_integer("Argument `size`", size, 1, odd=True)


def per_sample(size: int, **parameters: Tensor) -> list[Tensor]:
    """Reshape kernel parameters (B,) to (B, 1, 1), all of one dtype, float32 at least.

    Raises:
        UserError: an even size, or parameters that are not tensors (B,) of one length.
    """
    check_size(size)
    length: int | None = None
    dtype = torch.float32
    for name, value in parameters.items():
        if not isinstance(value, Tensor) or value.ndim != 1 or not value.is_floating_point():
            got = tuple(value.shape) if isinstance(value, Tensor) else repr(value)
            kind = f" of {value.dtype}" if isinstance(value, Tensor) else ""
            raise UserError(
                f"Argument `{name}` must be a floating point tensor (B,), one value for each "
                f"sample, but got {got}{kind}."
            )
        length = len(value) if length is None else length
        if len(value) != length:
            lengths = {other: len(each) for other, each in parameters.items()}
            raise UserError(
                f"Argument `{name}` must have one value for each of the {length} samples, but the "
                f"lengths are {lengths}."
            )
        dtype = torch.promote_types(dtype, value.dtype)
    return [value.to(dtype)[:, None, None] for value in parameters.values()]


def require(holds: Tensor, name: str, value: Tensor, what: str) -> None:
    """Refuse values for which ``holds`` is false; checked on a CPU only, as it would stall a GPU.

    Args:
        holds: booleans, the shape of ``value``.
        name: of the argument, as the user knows it.
        value: any shape.
        what: what the values must be, for the error.

    Raises:
        UserError: naming the argument and the first value that is refused.
    """
    if value.device.type == "cpu" and not bool(holds.all()):
        wrong = value.detach()[~holds].flatten()[0].item()
        raise UserError(f"Argument `{name}` must be {what}, but got {wrong:g}.")


def offsets(size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Tap coordinates from the middle tap, in pixels: x (1, 1, k) right, y (1, k, 1) down."""
    taps = torch.arange(size, device=like.device, dtype=like.dtype) - size // 2
    return taps[None, None], taps[None, :, None]


def normalized(kernel: Tensor) -> Tensor:
    """Divide each kernel (B, k, k) by its sum."""
    return kernel / kernel.sum((1, 2), keepdim=True)


class Sloped(torch.autograd.Function):
    """Autograd function: returns ``value`` with the derivative ``slope`` with respect to ``x``.

    All three have one shape. For functions whose derivative is known in closed form, but not to
    autograd. Differentiable once only.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, value: Tensor, slope: Tensor) -> Tensor:
        """Return ``value``."""
        ctx.save_for_backward(slope)
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient times ``slope``."""
        (slope,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradient * slope, None, None
