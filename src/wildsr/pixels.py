"""Convert between floats in [0, 1] and 8-bit pixels, and compute luma."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from wildsr.atomic import writing
from wildsr.error import UserError

BAND = 256  # rows that are converted at a time, to bound the memory of the copy
# Rows: Y, Cb, Cr of BT.601, full range, as in JPEG, rounded to three digits.
LUMA = (0.299, 0.587, 0.114)
YCBCR = (LUMA, (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))


# From 8 bits to floats --------------------------------------------------------------------------


def unit(levels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Divide levels from 0 to 255, of any shape and type, by 255."""
    return levels.to(dtype).div(255)


def in_unit(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Convert images of any shape to floats in [0, 1]: uint8 divided by 255, floats as they are."""
    return unit(images, dtype) if images.dtype == torch.uint8 else images.to(dtype)


def floats(image: Tensor) -> Tensor:
    """Convert (C, H, W), uint8 or floats in [0, 1], to float (1, C, H, W) in [0, 1]."""
    return in_unit(image[None])


def floats_of(pixels: npt.NDArray[Any]) -> Tensor:
    """Convert pixels (H, W, C), uint8 or floats in [0, 1], to float (1, C, H, W) in [0, 1]."""
    return floats(torch.from_numpy(pixels.copy()).permute(2, 0, 1))


# From floats to 8 bits --------------------------------------------------------------------------


def rounded(image: Tensor) -> Tensor:
    """Round [0, 1] to the nearest of 256 levels: ``round(255 clamp(x, 0, 1))``.

    Args:
        image: floats of any shape, on any device; NaN stays NaN.

    Returns:
        Integers from 0 to 255 in the dtype and shape of ``image``.
    """
    return image.clamp(0, 1).mul(255).round()


def to_8_bit(images: Tensor) -> Tensor:
    """Clamp to [0, 1] and round to 1/255, with the gradient of the identity (straight-through).

    Args:
        images: floats of any shape.
    """
    return images + (rounded(images.detach()).div(255) - images.detach())


def clamped(images: Tensor) -> Tensor:
    """Clamp to [0, 1] with the gradient of the identity, for photos of more than 8 bits.

    Args:
        images: floats of any shape.
    """
    return images + (images.detach().clamp(0, 1) - images.detach())


def round8(image: Tensor, argument: str = "image") -> Tensor:
    """Round an image to the 8-bit levels of a file: ``round(255 clamp(x, 0, 1))``.

    Args:
        image: any shape, floats in [0, 1].
        argument: the argument's name in an error message.

    Returns:
        Integers from 0 to 255 in float32, on the CPU for an image on MPS (no float64 there).

    Raises:
        UserError: the image is not of floats, or a value is NaN or infinite: clamping would turn
            it into a colour.
    """
    if not image.is_floating_point():
        raise UserError(f"Argument `{argument}` must hold floats in [0, 1], but got {image.dtype}.")
    image = (image.cpu() if image.device.type == "mps" else image).float()
    if not image.sum().isfinite():  # as NaN and infinities are kept by a sum: one pass, no mask
        raise UserError(
            f"Argument `{argument}` must hold finite numbers, but got NaN or infinite pixels."
        )
    return rounded(image)


def levels(image: Tensor) -> Tensor:
    """Convert (1, 3, H, W) in [0, 1] to the 8 bits of a file, uint8 (3, H, W), on the CPU.

    Raises:
        UserError: NaN or infinite pixels, which rounding would turn into a colour.
    """
    made = torch.empty(image.shape[1:], dtype=torch.uint8)
    for top in range(0, image.shape[2], BAND):
        band = image[0, :, top : top + BAND].detach()
        made[:, top : top + BAND] = round8(band).byte()
    return made


def array_of(image: Tensor) -> npt.NDArray[np.uint8]:
    """Convert (1, 3, H, W) in [0, 1] to the pixels of a file, uint8 (H, W, 3), contiguous.

    Raises:
        UserError: NaN or infinite pixels.
    """
    return np.ascontiguousarray(levels(image).permute(1, 2, 0).numpy())


def white(dtype: np.dtype[Any]) -> float:
    """The value of white: the largest value of an integer dtype, 1 for floats."""
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def whole_numbers(image: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Round floats of any shape to an integer dtype; halves go to the even number.

    For a floating dtype values are not rounded.
    """
    return (np.rint(image) if dtype.kind in "ui" else image).astype(dtype)


def round_into(target: npt.NDArray[Any], image: npt.NDArray[Any]) -> None:
    """As :func:`whole_numbers`, written into an array of the same shape, without a copy between."""
    if target.dtype.kind in "ui":
        np.rint(image, out=target, casting="unsafe")
    else:
        target[...] = image


def save_png(image: Tensor, path: Path) -> None:
    """Write uint8 (3, H, W) as a PNG, which appears when it is complete.

    Raises:
        UserError: it cannot be written.
    """
    with writing(path) as partial:
        picture = Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy()))
        picture.save(partial, "PNG")


# Brightness -------------------------------------------------------------------------------------


def luma(image: Tensor) -> Tensor:
    """Luma of BT.601, full range: ``0.299 R + 0.587 G + 0.114 B``.

    For an image with three equal channels the result equals that channel exactly; so measurements
    agree with MATLAB code that reads a gray file without ``rgb2ycbcr``.

    Args:
        image: (..., C, H, W) of any range; a single channel is returned as it is, and of other
            numbers than 3 the mean is taken.

    Returns:
        (..., 1, H, W) in the same range.
    """
    if image.shape[-3] == 1:
        return image
    if image.shape[-3] != 3:
        return image.mean(-3, keepdim=True)
    red, green, blue = image.split(1, dim=-3)
    # Written from the differences, so that equal channels are kept to the last bit.
    return green + LUMA[0] * (red - green) + LUMA[2] * (blue - green)


def studio_luma(rgb: Tensor) -> Tensor:
    """Luma of BT.601, studio range: ``16 + 65.481 R + 128.553 G + 24.966 B``.

    Equal to MATLAB's ``rgb2ycbcr`` of a floating-point image, times 255, on which papers measure.

    Args:
        rgb: (B, 3, H, W), [0, 1].

    Returns:
        (B, 1, H, W), 16 to 235, not rounded again.
    """
    red, green, blue = rgb.unbind(1)
    return (16 + 65.481 * red + 128.553 * green + 24.966 * blue).unsqueeze(1)


def as_rgb(image: Tensor, bands: Sequence[int] | None = None) -> Tensor:
    """Reduce or repeat channels to three, (..., C, H, W) to (..., 3, H, W), for RGB-only code.

    One channel is repeated; of two, the middle is their mean; of more than three, ``bands`` are
    taken, or else the first three.
    """
    channels = image.shape[-3]
    if channels == 1:
        return image.expand(*image.shape[:-3], 3, *image.shape[-2:])
    if channels == 2:
        first, last = image.split(1, -3)
        return torch.cat([first, (first + last) / 2, last], -3)
    if bands is None:
        return image.narrow(-3, 0, 3)
    return torch.cat([image.narrow(-3, band, 1) for band in bands], -3)


def torchvision_luma(image: Tensor) -> Tensor:
    """Torchvision's gray, ``0.2989 R + 0.587 G + 0.114 B``, which Real-ESRGAN's noise uses.

    (B, 3, H, W) -> (B, 1, H, W); a single channel stays as it is, of other numbers the mean is
    taken.
    """
    if image.shape[1] != 3:
        return image.mean(1, keepdim=True) if image.shape[1] > 1 else image
    red, green, blue = image.split(1, dim=1)
    return 0.2989 * red + 0.587 * green + 0.114 * blue


# Formats ----------------------------------------------------------------------------------------


def on_cpu(images: Tensor) -> Tensor:
    """Detach images of any shape and copy them to the CPU in float32."""
    return images.detach().to("cpu", torch.float32)


def at_least_float32(x: Tensor) -> Tensor:
    """Convert half precision to float32; other tensors, of any shape, are returned as they are.

    Bfloat16 has fewer levels than an 8-bit file.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
