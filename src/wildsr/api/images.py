"""Convert numpy arrays and torch tensors to the library's tensors, and results back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wildsr.error import UserError
from wildsr.pixels import LUMA  # to convert a network's RGB result of a gray image

AnyImage = npt.NDArray[Any] | Tensor
Image = TypeVar("Image", npt.NDArray[Any], Tensor)  # the result has the type of the input

Weights = tuple[float, float, float]
GREEN: Weights = (0.0, 1.0, 0.0)  # of degraded gray images: a mean of channels would halve noise
BEYOND = 0.5  # floats may leave [0, 1] this far (sharpening does); images in 0 to 255 are refused
WANTED = (
    "a numpy array (H, W), (H, W, 1) or (H, W, 3) of uint8, uint16 or floats in [0, 1], or a torch "
    "tensor (C, H, W) or (B, C, H, W) of uint8 or floats in [0, 1], C = 1 or 3"
)
Back = Callable[[Tensor], Any]


def tensor_of(image: AnyImage, argument: str, gray: Weights = LUMA) -> tuple[Tensor, Back]:
    """Convert an image to a float tensor (B, 3, H, W), with a function that converts results back.

    Args:
        image: see :data:`WANTED`.
        argument: what an error calls the image.
        gray: weights of red, green and blue that make a gray result, for an image of one channel.

    Returns:
        (B, 3, H, W) in float32, [0, 1]; and a function that converts (B, 3, h, w) to the type,
        dtype,
        number of channels and dimensions, and device of ``image``, clamped to [0, 1].

    Raises:
        UserError: another type or shape, or values far outside [0, 1].
    """
    if isinstance(image, np.ndarray):
        pixels, back = _of_array(image, argument, gray)
    elif isinstance(image, Tensor):
        pixels, back = _of_tensor(image, argument, gray)
    else:
        raise UserError(
            f"Argument `{argument}` must be {WANTED}; but got {type(image).__name__} "
            "(numpy.asarray turns a Pillow image into an array)."
        )
    _check_range(pixels, argument)
    return pixels.expand(-1, 3, -1, -1), back


def is_gray(image: AnyImage) -> bool:
    """Whether an image has one channel."""
    if isinstance(image, np.ndarray):
        return image.ndim == 2 or image.shape[-1] == 1
    return image.shape[-3] == 1


def _of_array(image: npt.NDArray[Any], argument: str, weights: Weights) -> tuple[Tensor, Back]:
    dtype = image.dtype
    most = float(np.iinfo(dtype).max) if dtype in (np.uint8, np.uint16) else 1.0
    known = most > 1 or np.issubdtype(dtype, np.floating)
    shaped = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))
    if not known or not shaped or image.size == 0:
        raise _refused(argument, f"an array of {dtype}", image.shape)
    whole = image if image.ndim == 3 else image[..., None]
    pixels = torch.from_numpy(whole.astype(np.float32) / np.float32(most)).permute(2, 0, 1)[None]
    mixed = weights if whole.shape[2] == 1 else None

    def back(made: Tensor) -> npt.NDArray[Any]:
        values = _channels(made, mixed)[0].permute(1, 2, 0).cpu().numpy() * most
        values = values if most == 1 else np.rint(values)
        return np.ascontiguousarray(values[..., 0] if image.ndim == 2 else values).astype(dtype)

    return pixels, back


def _of_tensor(image: Tensor, argument: str, weights: Weights) -> tuple[Tensor, Back]:
    known = image.dtype == torch.uint8 or image.is_floating_point()
    shaped = image.ndim in (3, 4) and image.shape[-3] in (1, 3)
    if not known or not shaped or image.numel() == 0:
        raise _refused(argument, f"a tensor of {image.dtype}", tuple(image.shape))
    most = 255 if image.dtype == torch.uint8 else 1
    pixels = image.detach().float() / most
    single, mixed = image.ndim == 3, weights if image.shape[-3] == 1 else None

    def back(made: Tensor) -> Tensor:
        values = _channels(made, mixed) * most
        values = (values if most == 1 else values.round()).to(image.device, image.dtype)
        return values[0] if single else values

    return (pixels[None] if single else pixels), back


def _channels(made: Tensor, weights: Weights | None) -> Tensor:
    """The result within [0, 1], of as many channels as what it was made from."""
    made = made.detach().float().clamp(0, 1)
    if weights is None:
        return made
    return (made * made.new_tensor(weights).reshape(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _check_range(pixels: Tensor, argument: str) -> None:
    low, high = (float(value) for value in pixels.aminmax())
    if not (low >= -BEYOND and high <= 1 + BEYOND):  # also false for NaN
        raise UserError(
            f"Argument `{argument}` must hold floats in [0, 1], but its values go from {low:g} to "
            f"{high:g}."
        )


def _refused(argument: str, what: str, shape: tuple[int, ...]) -> UserError:
    return UserError(f"Argument `{argument}` must be {WANTED}; but got {what}, shape {shape}.")
