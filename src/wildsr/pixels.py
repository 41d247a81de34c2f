"""Between floats in [0, 1] and the 8 bits of a file: each conversion once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from wildsr.atomic import writing
from wildsr.error import UserError


def floats(image: Tensor) -> Tensor:
    """uint8 (3, H, W) -> float (1, 3, H, W) in [0, 1]."""
    return image[None].float().div(255)


def to_8_bit(images: Tensor) -> Tensor:
    """Clamp to [0, 1] and round to 1/255, with the gradient of the identity (straight-through)."""
    rounded = images.detach().clamp(0, 1).mul(255).round().div(255)
    return images + (rounded - images.detach())


BAND = 256  # rows that are converted at a time, so that a copy of a large image stays small


def levels(image: Tensor) -> Tensor:
    """(1, 3, H, W) in [0, 1] -> the 8 bits of a file, uint8 (3, H, W).

    Raises:
        UserError: pixels that are not finite numbers, which rounding would turn into a colour.
    """
    made = torch.empty(image.shape[1:], dtype=torch.uint8)
    for top in range(0, image.shape[2], BAND):
        band = image[0, :, top : top + BAND].detach()
        made[:, top : top + BAND] = round8(band).byte()
    return made


def save_png(image: Tensor, path: Path) -> None:
    """Write uint8 (3, H, W); the file appears when it is complete."""
    with writing(path) as partial:
        picture = Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy()))
        picture.save(partial, "PNG")


def on_cpu(images: Tensor) -> Tensor:
    """Detached, in float32, in memory."""
    return images.detach().to("cpu", torch.float32)


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` itself, or in float32 where it has fewer bits: sums of losses need them."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


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
    return (image.clamp(0, 1) * 255).round()
