"""Simulate analogue video (VHS): interlacing, unsteady lines, soft colour."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation.argument import check_batch, check_image, for_each
from wildsr.degradation.tap import require
from wildsr.error import UserError
from wildsr.pixels import YCBCR, at_least_float32

REACH = 3.5  # half the length of a line's filter, in standard deviations


def shift_lines(image: Tensor, shifts: Tensor) -> Tensor:
    """Shift every line of an image to the right by its own number of pixels.

    Linear interpolation between pixels; borders are repeated.

    Args:
        image: (B, C, H, W).
        shifts: (B, H), in pixels.

    Returns:
        (B, C, H, W), differentiable in both.

    Raises:
        UserError: shapes that do not fit.
    """
    check_batch(image)
    whole = at_least_float32(image)
    count, channels, height, width = image.shape
    if shifts.shape != (count, height):
        raise UserError(
            f"Argument `shifts` must be ({count}, {height}), one number for each line, but got "
            f"{tuple(shifts.shape)}."
        )
    place = (
        torch.arange(width, device=image.device, dtype=whole.dtype) - shifts.to(whole)[..., None]
    )
    place = place.clamp(0, width - 1)[:, None].expand(-1, channels, -1, -1)
    left = place.detach().floor()
    share, index = place - left, left.long()
    here = whole.gather(3, index)
    return here + share * (whole.gather(3, (index + 1).clamp_max(width - 1)) - here)


def interlace(image: Tensor, motion: Tensor | float) -> Tensor:
    """Simulate interlacing: every second line is shifted by the motion between two fields.

    Args:
        image: (B, C, H, W).
        motion: pixels to the right from field to field; one number or (B,).

    Returns:
        (B, C, H, W); lines 0, 2, ... are unchanged. Differentiable in both.

    Raises:
        UserError: shapes that do not fit.
    """
    check_batch(image)
    moved = for_each("motion", motion, at_least_float32(image)).view(-1, 1)
    second = torch.arange(image.shape[2], device=image.device) % 2
    return shift_lines(image, moved * second)


def line_blur(image: Tensor, width: Tensor | float, delay: Tensor | float = 0.0) -> Tensor:
    """Blur along the lines by a delayed Gaussian: the limited bandwidth of a recorder.

    Args:
        image: (B, C, H, W).
        width: standard deviation in pixels, above 0; one number or (B,).
        delay: shift to the right in pixels; one number or (B,).

    Returns:
        (B, C, H, W), borders repeated; differentiable in all three.

    Raises:
        UserError: a width of 0 or less.
    """
    check_batch(image)
    whole = at_least_float32(image)
    widths, delays = for_each("width", width, whole), for_each("delay", delay, whole)
    require(widths > 0, "width", widths, "above 0 pixels")
    reach = int((REACH * widths + delays.abs()).detach().max().ceil().item())
    taps = torch.arange(-reach, reach + 1, device=whole.device, dtype=whole.dtype)
    kernel = torch.softmax(-0.5 * ((-taps - delays) / widths).square(), 3)  # (B, 1, 1, k)
    count, channels, height, size = whole.shape
    lines = whole.reshape(1, count, channels * height, size)
    out = F.conv2d(F.pad(lines, (reach, reach, 0, 0), mode="replicate"), kernel, groups=count)
    return out.view(whole.shape)


def chroma_bleed(
    image: Tensor, width: Tensor | float, delay: Tensor | float = 0.0, luma_width: float = 0.0
) -> Tensor:
    """Blur and delay the chroma along the lines, and leave luma sharp: colours bleed.

    VHS resolves about 40 changes of colour in a line, and 240 of brightness.

    Args:
        image: (B, 3, H, W); with another number of channels only ``luma_width`` has an effect.
        width: standard deviation of the chroma blur, in pixels; one number or (B,).
        delay: shift of the chroma to the right, in pixels; one number or (B,).
        luma_width: standard deviation of the luma blur (of all channels if not RGB), 0 for none.

    Returns:
        The shape of ``image``, not clamped; differentiable in all.

    Raises:
        UserError: shapes that do not fit, or a width of 0 or less.
    """
    check_batch(image)
    whole = at_least_float32(image)
    if image.shape[1] == 3:
        check_image(image)
        matrix = torch.tensor(YCBCR, device=whole.device, dtype=whole.dtype)
        planes = torch.einsum("ij,bjhw->bihw", matrix, whole)
        colour = line_blur(planes[:, 1:], width, delay)
        bright = line_blur(planes[:, :1], luma_width) if luma_width else planes[:, :1]
        back = torch.linalg.inv(matrix.double()).to(whole)
        return torch.einsum("ij,bjhw->bihw", back, torch.cat([bright, colour], 1))
    return line_blur(whole, luma_width) if luma_width else whole
