"""Pixels: between floats in [0, 1] and the 8 bits of a file, and their brightness, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from wildsr.atomic import writing
from wildsr.error import UserError

BAND = 256  # rows that are converted at a time, so that a copy of a large image stays small
# Rows: luma, blue and red against it. BT.601 over the full range, as JPEG has it, in three digits.
LUMA = (0.299, 0.587, 0.114)
YCBCR = (LUMA, (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))


# From 8 bits to floats --------------------------------------------------------------------------


def unit(levels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Levels from 0 to 255, of any shape and type, as numbers from 0 to 1."""
    return levels.to(dtype).div(255)


def floats(image: Tensor) -> Tensor:
    """uint8 (3, H, W) -> float (1, 3, H, W) in [0, 1]."""
    return unit(image[None])


def floats_of(pixels: npt.NDArray[np.uint8]) -> Tensor:
    """The pixels of a file, uint8 (H, W, 3), as float (1, 3, H, W) in [0, 1]."""
    return floats(torch.from_numpy(pixels.copy()).permute(2, 0, 1))


# From floats to 8 bits --------------------------------------------------------------------------


def rounded(image: Tensor) -> Tensor:
    """The nearest levels of 8 bits, ``round(255 clamp(x, 0, 1))``: whole numbers of its own type.

    Of any shape and on any device; nothing is checked, NaN stays NaN.
    """
    return image.clamp(0, 1).mul(255).round()


def to_8_bit(images: Tensor) -> Tensor:
    """Clamp to [0, 1] and round to 1/255, with the gradient of the identity (straight-through)."""
    return images + (rounded(images.detach()).div(255) - images.detach())


def round8(image: Tensor, argument: str = "image") -> Tensor:
    """The 8-bit levels of an image, as a file would hold them: ``round(255 clamp(x, 0, 1))``.

    Args:
        image: any shape, floats in [0, 1].
        argument: what an error calls the image.

    Returns:
        Whole numbers from 0 to 255 in float32, on the CPU for an image on MPS (no float64 there).

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
    """(1, 3, H, W) in [0, 1] -> the 8 bits of a file, uint8 (3, H, W), in memory.

    Raises:
        UserError: pixels that are not finite numbers, which rounding would turn into a colour.
    """
    made = torch.empty(image.shape[1:], dtype=torch.uint8)
    for top in range(0, image.shape[2], BAND):
        band = image[0, :, top : top + BAND].detach()
        made[:, top : top + BAND] = round8(band).byte()
    return made


def array_of(image: Tensor) -> npt.NDArray[np.uint8]:
    """(1, 3, H, W) in [0, 1] -> the pixels of a file, uint8 (H, W, 3), contiguous.

    Raises:
        UserError: pixels that are not finite numbers.
    """
    return np.ascontiguousarray(levels(image).permute(1, 2, 0).numpy())


def white(dtype: np.dtype[Any]) -> float:
    """The value of white: the largest of an integer type, 1 of floats."""
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def whole_numbers(image: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Floats in the range of an integer type, rounded to it; halves go to the even number.

    Of a floating type they stay as they are.
    """
    return (np.rint(image) if dtype.kind in "ui" else image).astype(dtype)


def save_png(image: Tensor, path: Path) -> None:
    """Write uint8 (3, H, W); the file appears when it is complete."""
    with writing(path) as partial:
        picture = Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy()))
        picture.save(partial, "PNG")


# Brightness -------------------------------------------------------------------------------------


def luma(image: Tensor) -> Tensor:
    """The luma of BT.601 over the whole range, ``0.299 R + 0.587 G + 0.114 B``.

    Of an image whose channels are equal it is that channel, to the last bit: what MATLAB code
    measures on a file of one channel, without ``rgb2ycbcr``.

    Args:
        image: (..., 3, H, W) of any range, or (..., 1, H, W), which is its own.

    Returns:
        (..., 1, H, W) in the same range.
    """
    if image.shape[-3] == 1:
        return image
    red, green, blue = image.split(1, dim=-3)
    # Written from the differences, so that equal channels are kept to the last bit.
    return green + LUMA[0] * (red - green) + LUMA[2] * (blue - green)


def studio_luma(rgb: Tensor) -> Tensor:
    """The Y of BT.601 in studio swing, ``16 + 65.481 R + 128.553 G + 24.966 B``.

    Equal to MATLAB's ``rgb2ycbcr`` of a floating-point image, times 255: what papers measure on.

    Args:
        rgb: (B, 3, H, W), [0, 1].

    Returns:
        (B, 1, H, W), 16 to 235, not rounded again.
    """
    red, green, blue = rgb.unbind(1)
    return (16 + 65.481 * red + 128.553 * green + 24.966 * blue).unsqueeze(1)


def torchvision_luma(image: Tensor) -> Tensor:
    """Torchvision's gray, ``0.2989 R + 0.587 G + 0.114 B``: what Real-ESRGAN draws its noise for.

    (B, 3, H, W) -> (B, 1, H, W); one channel stays as it is.
    """
    if image.shape[1] == 1:
        return image
    red, green, blue = image.split(1, dim=1)
    return 0.2989 * red + 0.587 * green + 0.114 * blue


# Formats ----------------------------------------------------------------------------------------


def on_cpu(images: Tensor) -> Tensor:
    """Detached, in float32, in memory."""
    return images.detach().to("cpu", torch.float32)


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` itself, or in float32 where it has fewer bits: bfloat16 has fewer than a file."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
