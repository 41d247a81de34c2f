"""Interpolation kernels for resizing: functions of the distance in pixels, of any shape."""

from __future__ import annotations

import torch
from torch import Tensor


def box(x: Tensor) -> Tensor:
    """Box kernel: 1 for distances x (any shape) in (-0.5, 0.5], else 0."""
    return ((x > -0.5) & (x <= 0.5)).to(x.dtype)


def triangle(x: Tensor) -> Tensor:
    """Triangle kernel of bilinear interpolation: ``max(1 - |x|, 0)``, x of any shape."""
    return (1 - x.abs()).clamp_min(0)


def cubic(x: Tensor) -> Tensor:
    """Cubic kernel (Keys 1981, eq. 15) with a = -0.5, as MATLAB and Pillow; x of any shape.

    OpenCV, and torch without antialiasing, use a = -0.75.
    """
    x = x.abs()
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def lanczos(x: Tensor) -> Tensor:
    """Lanczos kernel of 3 lobes: ``sinc(x) sinc(x / 3)`` for ``|x|`` < 3; x of any shape."""
    return torch.where(x.abs() < 3, torch.sinc(x) * torch.sinc(x / 3), torch.zeros_like(x))
