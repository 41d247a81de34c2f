"""Compress by Pillow's own encoders, with a straight-through gradient."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from PIL import Image, features
from torch import Tensor

from wildsr.degradation.argument import check_image, for_each
from wildsr.degradation.jpeg.chrominance import SUBSAMPLINGS
from wildsr.error import UserError, unknown
from wildsr.pixels import at_least_float32, rounded, unit


def libjpeg(image: Tensor, quality: Tensor | float, subsampling: str = "4:2:0") -> Tensor:
    """Compress images as JPEG by Pillow's libjpeg, one at a time on the CPU.

    This is the reference for :func:`wildsr.degradation.jpeg.jpeg.jpeg`; use that one if the
    gradient has to depend on the quality.

    Args:
        image: (B, 3, H, W) or gray (B, 1, H, W) in [0, 1]; values outside are clamped.
        quality: 1 to 100, one number or (B,), rounded to integers; has no gradient.
        subsampling: of the chrominance, "4:4:4", "4:2:2" or "4:2:0".

    Returns:
        Multiples of 1/255 of the shape of ``image``, in float32 at least, with the gradient of the
        identity (straight-through).

    Raises:
        UserError: a shape, a quality or a subsampling that is not among the above.
    """
    if subsampling not in SUBSAMPLINGS:
        raise unknown("Argument `subsampling`", subsampling, SUBSAMPLINGS)
    return _written_and_read(image, quality, 1, "JPEG", subsampling=subsampling)


def webp(image: Tensor, quality: Tensor | float) -> Tensor:
    """Compress images as lossy WebP by Pillow, one at a time on the CPU; always 4:2:0.

    Args:
        image: (B, 3, H, W) or gray (B, 1, H, W) in [0, 1]; values outside are clamped.
        quality: 0 to 100, one number or (B,), rounded to integers; has no gradient.

    Returns:
        Multiples of 1/255 of the shape of ``image``, in float32 at least, with the gradient of the
        identity (straight-through).

    Raises:
        UserError: a shape or a quality that is not among the above, or a Pillow without WebP.
    """
    if not features.check("webp"):
        raise UserError(
            "Degradation `webp` needs a Pillow with WebP support, but this one was built without "
            "it; install Pillow's own wheel, or leave `webp` out."
        )
    return _written_and_read(image, quality, 0, "WEBP")


def _written_and_read(
    image: Tensor, quality: Tensor | float, lowest: int, form: str, **options: Any
) -> Tensor:
    check_image(image, (3, 1))
    image = at_least_float32(image)
    qualities = for_each("quality", quality, image.detach()).flatten().tolist()
    for value in qualities:
        if not lowest <= value <= 100:
            raise UserError(
                f"Argument `quality` must be {lowest} to 100, but got {value:g} for {form}."
            )
    levels = rounded(image.detach()).byte().permute(0, 2, 3, 1).cpu().numpy()
    mode = "L" if image.shape[1] == 1 else "RGB"
    read = np.empty_like(levels)
    for pixels, out, value in zip(levels, read, qualities, strict=True):
        file = io.BytesIO()
        picture = Image.fromarray(pixels[..., 0] if mode == "L" else pixels)
        picture.save(file, form, quality=round(value), **options)
        out[:] = np.asarray(Image.open(file).convert(mode)).reshape(pixels.shape)
    values = unit(torch.from_numpy(read).permute(0, 3, 1, 2).contiguous().to(image), image.dtype)
    return values + (image - image.detach())  # plus 0, and the gradient
