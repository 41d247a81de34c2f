"""PSNR and SSIM as super-resolution papers report them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from kornia.filters import get_gaussian_kernel1d
from torch import Tensor

from wildsr.error import UserError, unknown
from wildsr.pixels import round8, studio_luma, unit

CHANNELS = ("rgb", "y")
WINDOW = 11  # taps of the SSIM window; its sigma is 1.5
MIDDLE = 128.0
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(prediction: Tensor, target: Tensor, border: int, channel: str) -> Tensor:
    """Peak signal-to-noise ratio, ``10 log10(255^2 / mean (x - y)^2)``, in dB.

    Both images are rounded to 8 bits, then lose ``border`` pixels on every side.

    Args:
        prediction: (B, 3, H, W), [0, 1]; or (B, 1, H, W) where ``channel`` is "y".
        target: of the same shape, [0, 1].
        border: pixels cut from every side; the classical benchmarks cut the scale.
        channel: "rgb" (one mean over all channels) or "y" (see :func:`wildsr.pixels.studio_luma`;
            a one-channel image is used as it is, from 0 to 255).

    Returns:
        (B,) in float64; infinite for identical images.

    Raises:
        UserError: different sizes, pixels that are not finite floats, nothing left of the image,
            an unknown channel.
    """
    return psnr_of_levels(*_rounded(prediction, target, border, channel, at_least=1))


def ssim(prediction: Tensor, target: Tensor, border: int, channel: str) -> Tensor:
    """Structural similarity (Wang et al. 2004, eq. 13), the mean over the window's valid region.

    11 x 11 Gaussian window of sigma 1.5, K = (0.01, 0.03), population covariance; on RGB the
    mean of the three channels. Arguments (B, 3, H, W), rounding, border and channels are as in
    :func:`psnr`.

    Returns:
        (B,) in float64, at most 1.

    Raises:
        UserError: as :func:`psnr`, and an image smaller than the window after the cut.
    """
    return ssim_of_levels(*_rounded(prediction, target, border, channel, at_least=WINDOW))


def psnr_of_levels(x: Tensor, y: Tensor) -> Tensor:
    """PSNR of (B, C, H, W) from 0 to 255, not rounded; see :func:`psnr`."""
    # Squares of integers up to 255 are exact in float32; they are summed in float64.
    squares = (x - y).square_().sum(dim=(1, 2, 3), dtype=torch.float64)
    return 10 * torch.log10(255**2 * x[0].numel() / squares)


def ssim_of_levels(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of (B, C, H, W) from 0 to 255, not rounded; see :func:`ssim`.

    Sides of 11 pixels at least.
    """
    # Not torchmetrics: its mean includes the reflected border, and its window is not separable
    # (forty times slower here). Float32 suffices (within 1e-6 of float64) because the values are
    # centred, so that little is lost in differences of squares.
    x, y = ((image - MIDDLE).float() for image in (x, y))
    window = get_gaussian_kernel1d(WINDOW, 1.5, device=x.device)
    # Only the sum of the variances is needed: four moments instead of five.
    moments = torch.cat([x, y, x * x + y * y, x * y], dim=1)
    mean_x, mean_y, squares, products = _windowed(moments, window[0]).chunk(4, dim=1)
    product, both = mean_x * mean_y, mean_x.square() + mean_y.square()
    contrast = (2 * (products - product) + _C2) / (squares - both + _C2)
    # Of the means themselves: mu = mean + MIDDLE.
    shift = MIDDLE * (mean_x + mean_y) + MIDDLE**2
    luminance = (2 * (product + shift) + _C1) / (both + 2 * shift + _C1)
    return (luminance * contrast).mean(dim=(1, 2, 3), dtype=torch.float64)


def compared(
    x: Tensor, y: Tensor, border: int, channel: str, at_least: int = 1
) -> tuple[Tensor, Tensor]:
    """Convert two images in 0 to 255 to the protocol's channel, and cut the border.

    Args:
        x: the prediction, (B, 3, H, W), or (B, 1, H, W) for "y"; 0 to 255.
        y: the target, of the same shape.
        border: pixels to cut from every side.
        channel: "rgb" or "y".
        at_least: pixels that must be left of each side.

    Raises:
        UserError: different sizes, other shapes, too little left, an unknown channel.
    """
    if channel not in CHANNELS:
        raise unknown("Argument `channel`", channel, CHANNELS)
    if border < 0:
        raise UserError(f"Argument `border` must be 0 or more pixels, but got {border}.")
    if x.shape != y.shape:
        raise UserError(
            "Argument `prediction` must have the size of `target`, "
            f"but got {tuple(x.shape)} and {tuple(y.shape)}."
        )
    if y.ndim != 4 or y.shape[1] not in ((3, 1) if channel == "y" else (3,)):
        or_one = " or (B, 1, H, W)" if channel == "y" else ""
        raise UserError(
            f"Argument `target` must have the shape (B, 3, H, W){or_one}, but got {tuple(y.shape)}."
        )
    x, y = cut(x, y, border, at_least)
    if channel == "y" and y.shape[1] == 3:
        return studio_luma(unit(x, torch.float64)), studio_luma(unit(y, torch.float64))
    return x, y


def cut(x: Tensor, y: Tensor, border: int, at_least: int = 1) -> tuple[Tensor, Tensor]:
    """Cut ``border`` pixels from every side of two images (B, C, H, W).

    Raises:
        UserError: fewer than ``at_least`` pixels are left of a side.
    """
    height, width = (side - 2 * border for side in y.shape[2:])
    if min(height, width) < at_least:
        raise UserError(
            f"Argument `target` must be at least {at_least} x {at_least} pixels after cutting "
            f"`border`={border} from every side, but got {max(height, 0)} x {max(width, 0)}."
        )
    kept = (..., slice(border, border + height), slice(border, border + width))
    return x[kept], y[kept]


def _windowed(images: Tensor, taps: Tensor) -> Tensor:
    """Filtered along rows and columns, every channel alone, the valid region."""
    channels = images.shape[1]
    taps = taps.expand(channels, 1, -1)
    across = F.conv2d(images, taps[:, :, None, :], groups=channels)
    return F.conv2d(across, taps[:, :, :, None], groups=channels)


def _rounded(
    prediction: Tensor, target: Tensor, border: int, channel: str, at_least: int
) -> tuple[Tensor, Tensor]:
    x, y = round8(prediction, "prediction"), round8(target, "target")
    return compared(x, y, border, channel, at_least)
