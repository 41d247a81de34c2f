"""Blur kernels of motion, defocus and sub-pixel shifts, integrated exactly.

The conventions are those of :mod:`wildsr.degradation.kernel`: parameters (B,), kernels (B, k, k).
"""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.interpolant import cubic
from wildsr.degradation.tap import Sloped, normalized, offsets, per_sample, require
from wildsr.error import UserError

_GAUSS = (0.5 - 0.75**0.5 / 3, 0.5 + 0.75**0.5 / 3)  # two nodes integrate a cubic over [0, 1]


def motion(length: Tensor, angle: Tensor, size: int) -> Tensor:
    r"""Linear motion blur: the mean of the bilinearly interpolated image along a straight path.

    .. math:: k(x, y) = \int_{-1/2}^{1/2} h(x - t l \cos a) \, h(y - t l \sin a) \, dt

    with h(d) = max(0, 1 - abs(d)). The integrand is a polynomial between the kinks of h, so the
    integral and its gradient are exact, without aliasing at any angle.

    Args:
        length: of the path in pixels, (B,), at least 0 (a single tap); parts outside the kernel
            are cut off.
        angle: in radians from x towards y, (B,).
        size: taps a side, odd.

    Raises:
        UserError: an even size, a negative length, tensors of several lengths.
    """
    path, direction = per_sample(size, length=length, angle=angle)
    require(length >= 0, "length", length, "at least 0")
    x, y = offsets(size, path)
    run, rise = path * direction.cos(), path * direction.sin()
    with torch.no_grad():  # the integrand is continuous: moving the cuts changes nothing
        cuts = [torch.full_like(run, end).expand(-1, size, size) for end in (-0.5, 0.5)]
        for kink in (-1, 0, 1):
            for position, extent in ((x + kink, run), (y + kink, rise)):
                cut = position / extent.where(extent.abs() > 1e-12, 1e-12)
                cuts.append(cut.clamp(-0.5, 0.5).expand(-1, size, size))
        ordered = torch.stack(cuts, 3).sort(3).values
        width = ordered.diff(dim=3)  # (B, k, k, 7)
        nodes = [ordered[..., :-1] + width * node for node in _GAUSS]
    kernel = torch.zeros_like(run)
    for t in nodes:
        hat_x = (1 - (x[..., None] - t * run[..., None]).abs()).clamp(min=0)
        hat_y = (1 - (y[..., None] - t * rise[..., None]).abs()).clamp(min=0)
        kernel = kernel + (hat_x * hat_y * width).sum(3)
    return normalized(kernel)


def disc(radius: Tensor, size: int) -> Tensor:
    """Defocus blur: each tap is the exact area of its pixel that a disc covers.

    Args:
        radius: of the disc around the centre of the middle pixel, (B,), in pixels, at least 0; up
            to 0.5 it is a single tap. Parts outside the kernel are cut off.
        size: taps a side, odd.

    Raises:
        UserError: an even size, a negative radius, a tensor that is not (B,).
    """
    (exact,) = per_sample(size, radius=radius)
    require(radius >= 0, "radius", radius, "at least 0")
    # Below 0.5 all is in the middle tap, whatever the radius: 0.25 keeps its area above 0.
    r = exact.clamp(min=0.25).expand(-1, size, size)
    with torch.no_grad():
        # One quadrant: pixel [left, right] x [low, high], that of an axis being cut in half there.
        x, y = (side.abs() for side in offsets(size, r))
        left, right = (x - 0.5).clamp(min=0), x + 0.5
        low, high = (y - 0.5).clamp(min=0), y + 0.5
        halves = (2 - (x == 0).to(r)) * (2 - (y == 0).to(r))
        # Left of `a` the arc is above the pixel, right of `b` below it.
        a = (r.square() - high.square()).clamp(min=0).sqrt().clamp(left, right)
        b = (r.square() - low.square()).clamp(min=0).sqrt().clamp(left, right)
        arc_a, arc_b = ((r.square() - s.square()).clamp(min=0).sqrt() for s in (a, b))
        turn = torch.atan2(b, arc_b) - torch.atan2(a, arc_a)
        # A trapezoid below the chord, and the circle's segment above it.
        below = (a - left) * (high - low) + (b - a) * ((arc_a + arc_b) / 2 - low)
        area = below + 0.5 * r.square() * (turn - turn.sin())
    # The area grows by the arc's length within the pixel.
    return normalized(Sloped.apply(r, area / halves, r.detach() * turn / halves))


def delta(shift_x: Tensor, shift_y: Tensor, size: int) -> Tensor:
    """Kernel that shifts an image by parts of a pixel, by bicubic interpolation.

    Correlation with it reads the image at (x + shift_x, y + shift_y). Bicubic with a = -0.5 (Keys
    1981, exact for parabolas), so a kernel has up to 4 x 4 taps, some negative; for whole pixels it
    is a single 1.

    Args:
        shift_x: to the right, (B,), in pixels, at most ``size // 2`` either way.
        shift_y: downwards, likewise.
        size: taps a side, odd.

    Raises:
        UserError: an even size, a shift beyond the kernel, tensors of several lengths.
    """
    right, down = _displacement(size, shift_x=shift_x, shift_y=shift_y)
    x, y = offsets(size, right)
    return normalized(cubic(y - down) * cubic(x - right))


def shift(kernel: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Shift kernels by parts of a pixel, by the bicubic interpolation of :func:`delta`.

    Args:
        kernel: (B, k, k), k odd, each with a sum that is not 0; taps shifted beyond the border are
            lost, and zeros come in.
        dx: to the right, (B,), in pixels, at most ``k // 2`` either way.
        dy: downwards, likewise.

    Returns:
        (B, k, k) with sum 1; differentiable in all three.

    Raises:
        UserError: shapes or shifts that do not fit the above.
    """
    if kernel.ndim != 3 or kernel.shape[1] != kernel.shape[2] or len(kernel) != len(dx):
        raise UserError(
            f"Argument `kernel` must be ({len(dx)}, k, k) with k odd, but got "
            f"{tuple(kernel.shape)}."
        )
    size = kernel.shape[1]
    right, down = _displacement(size, dx=dx, dy=dy)
    column, row = offsets(size, right)
    # Sums and no matrix products, which autocast and TF32 would compute coarsely.
    across = cubic(row - column - right)[:, None]  # (B, 1, to, from)
    moved = (across * kernel[:, :, None]).sum(3)
    downwards = cubic(row - column - down)[..., None]  # (B, to, from, 1)
    return normalized((downwards * moved[:, None]).sum(2))


def _displacement(size: int, **shifts: Tensor) -> list[Tensor]:
    """Two shifts as (B, 1, 1), of at most half the window."""
    checked = per_sample(size, **shifts)
    for name, value in shifts.items():
        require(value.abs() <= size // 2, name, value, f"from -{size // 2} to {size // 2}")
    return checked
