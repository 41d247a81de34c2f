"""Check image batches, and parameters that are one number or one for each image."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.error import UserError


def check_image(image: Tensor, channels: tuple[int, ...] = (3,), name: str = "image") -> None:
    """Refuse anything but a batch (B, C, H, W) of float images with one of these channel counts.

    Args:
        image: the argument.
        channels: the numbers of channels that are allowed.
        name: of the argument, as the user knows it.

    Raises:
        UserError: another shape, an empty image, or integers.
    """
    sized = image.ndim == 4 and image.shape[1] in channels and image.numel() > 0
    if not sized or not image.is_floating_point():
        shapes = " or ".join(f"(B, {count}, H, W)" for count in channels)
        raise UserError(
            f"Argument `{name}` must be {shapes} of floating-point numbers, but got "
            f"{tuple(image.shape)} of {str(image.dtype).removeprefix('torch.')}."
        )


def for_each(name: str, value: Tensor | float, image: Tensor) -> Tensor:
    """Reshape a parameter to (B, 1, 1, 1) for broadcasting with ``image``.

    ``value`` is one number for all images, or (B,), one for each.

    Args:
        name: of the argument, as the user knows it.
        value: a number, a tensor of one number, or (B,).
        image: (B, C, H, W), whose device and precision the result has.

    Raises:
        UserError: another shape.
    """
    tensor = torch.as_tensor(value).to(image)
    count = image.shape[0]
    if tensor.ndim > 1 or tensor.numel() not in (1, count):
        raise UserError(
            f"Argument `{name}` must be one number or ({count},), one for each image, but got the "
            f"shape {tuple(tensor.shape)}."
        )
    return tensor.expand(count).view(count, 1, 1, 1)


def check_batch(image: Tensor, name: str = "image") -> None:
    """Refuse anything but a batch (B, C, H, W) of float images, with any number of channels.

    Raises:
        UserError: another shape, an empty image, or integers.
    """
    if image.ndim != 4 or image.numel() == 0 or not image.is_floating_point():
        raise UserError(
            f"Argument `{name}` must be (B, C, H, W) of floating-point numbers, but got "
            f"{tuple(image.shape)} of {str(image.dtype).removeprefix('torch.')}."
        )
