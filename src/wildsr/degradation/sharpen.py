"""Unsharp masking, with which Real-ESRGAN sharpens its training targets."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from wildsr.argument import check_integer
from wildsr.degradation.argument import check_image, for_each
from wildsr.degradation.blur import separable_blur
from wildsr.degradation.correlation import reflect
from wildsr.degradation.kernel import gaussian_taps
from wildsr.pixels import at_least_float32

_MATRIX_SIDE = 512  # pixels; up to it a product with a (side, side) matrix is the fastest blur


def usm(
    image: Tensor,
    weight: Tensor | float = 0.5,
    radius: int = 50,
    threshold: Tensor | float = 10.0,
) -> Tensor:
    r"""Sharpen by unsharp masking where there is detail, as Real-ESRGAN does.

    With a Gaussian blur G, the residual r = x - G x and the soft mask m,

    .. math:: m = G\, [255\, |r| > threshold], \quad
        out = m\, \mathrm{clip}(x + weight\, r) + (1 - m)\, x

    The idea is from Wang et al. 2021 (arXiv:2107.10833), section 3.4, the numbers are from the
    authors' code. No gradient flows through the mask.

    Args:
        image: (B, 3, H, W) or (B, 1, H, W) in [0, 1], of any size; borders are reflected without
            repeating the edge.
        weight: of the residual, one number or (B,).
        radius: as the authors define it: the Gaussian has 2 (radius // 2) + 1 taps a side, and
            OpenCV's standard deviation for more than 7 taps, 0.3 ((taps - 1) / 2 - 1) + 0.8; 51
            taps and 8 pixels by default.
        threshold: in 1/255, one number or (B,); smaller residuals are not sharpened.

    Returns:
        The shape of ``image``, in [0, 1] for images that are, float32 at least, not rounded;
        differentiable in ``image`` and in ``weight``.

    Raises:
        UserError: shapes that do not fit, a radius below 0.
    """
    check_image(image, (3, 1))
    check_integer("Argument `radius`", radius, 0)
    image = at_least_float32(image)
    strength = for_each("weight", weight, image)
    limit = for_each("threshold", threshold, image) / 255
    size = 2 * (radius // 2) + 1
    residual = image - _blurred(image, size)
    with torch.no_grad():
        mask = _blurred((residual.abs() > limit).to(image.dtype), size)
    sharp = torch.addcmul(image, residual, strength).clamp(0, 1)
    return torch.lerp(image, sharp, mask)


def _deviation(size: int) -> float:
    return 0.3 * ((size - 1) / 2 - 1) + 0.8


def _blurred(image: Tensor, size: int) -> Tensor:
    """``image`` blurred by the Gaussian of so many taps, along rows and columns."""
    height, width = image.shape[2:]
    if max(height, width) > _MATRIX_SIDE:
        return separable_blur(image, image.new_tensor([_deviation(size)]), size)
    with torch.autocast(image.device.type, enabled=False):
        rows = image @ _matrix(width, size, image.device, image.dtype).T
        return _matrix(height, size, image.device, image.dtype) @ rows


@lru_cache(maxsize=16)
def _matrix(length: int, size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(length, length): the blur of a signal whose borders are reflected."""
    with torch.inference_mode(False), torch.no_grad():
        taps = gaussian_taps(torch.tensor([_deviation(size)], dtype=torch.float64), size)[0]
        unit = torch.eye(length, dtype=torch.float64)[None, None]
        continued = reflect(unit, (size // 2, size // 2), (0, 0))[
            0, 0
        ]  # (length + size - 1, length)
        return (continued.unfold(0, size, 1) @ taps).to(device, dtype)
