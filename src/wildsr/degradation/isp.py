"""Invertible steps of a camera's image processing (ISP), with one setting for each image.

Brooks et al. 2019, "Unprocessing Images for Learned Raw Denoising" (arXiv:1811.11127), chain them:
mosaic, demosaic, white balance, colour matrix, gamma, tone. All are differentiable in the image and
in their settings, compute in float32 at least, and do not clamp unless they say so.
"""

from __future__ import annotations

import torch
from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from torch import Tensor

from wildsr.argument import check_integer
from wildsr.degradation.argument import check_image, for_each
from wildsr.degradation.bayer import demosaic, mosaic
from wildsr.error import UserError
from wildsr.pixels import at_least_float32, to_8_bit

__all__ = [
    "colour_matrix",
    "demosaic",
    "gamma",
    "mosaic",
    "quantise",
    "to_linear",
    "to_srgb",
    "tone",
    "untone",
    "white_balance",
]

_DARKEST = 1e-8  # lower limit, which keeps the slope of a power finite


def white_balance(image: Tensor, gains: Tensor) -> Tensor:
    """Multiply red, green and blue by gains.

    Args:
        image: (B, 3, H, W), linear.
        gains: (B, 3), or (3,) for all images.

    Raises:
        UserError: another shape.
    """
    check_image(image)
    image = at_least_float32(image)
    if tuple(gains.shape) not in ((3,), (1, 3), (image.shape[0], 3)):
        raise UserError(
            f"Argument `gains` must be ({image.shape[0]}, 3) or (3,), but got {tuple(gains.shape)}."
        )
    return image * gains.to(image).view(-1, 3, 1, 1)


def colour_matrix(image: Tensor, matrix: Tensor) -> Tensor:
    """Multiply the colour of each pixel by a matrix: ``out_i = sum_j matrix_ij image_j``.

    Args:
        image: (B, 3, H, W), linear.
        matrix: (B, 3, 3), or (3, 3) for all images.

    Raises:
        UserError: another shape.
    """
    check_image(image)
    image = at_least_float32(image)
    if tuple(matrix.shape) not in ((3, 3), (1, 3, 3), (image.shape[0], 3, 3)):
        raise UserError(
            f"Argument `matrix` must be ({image.shape[0]}, 3, 3) or (3, 3), but got "
            f"{tuple(matrix.shape)}."
        )
    columns = matrix.to(image).view(-1, 3, 3, 1, 1).unbind(2)
    red, green, blue = image.split(1, 1)
    # Sums and no matrix product, which autocast and TF32 would compute coarsely.
    return torch.addcmul(torch.addcmul(columns[0] * red, columns[1], green), columns[2], blue)


def gamma(image: Tensor, exponent: Tensor | float) -> Tensor:
    """Gamma curve: ``max(image, 1e-8) ** exponent``; invert it with 1 / exponent.

    The limit keeps the slope at black finite (Kornia's ``adjust_gamma`` has none, so its gradient
    can be infinite).

    Args:
        image: (B, C, H, W) with C 1 or 3.
        exponent: one number or (B,); 2.2 converts an encoded image to approximately linear light.

    Raises:
        UserError: another shape.
    """
    check_image(image, (3, 1))
    image = at_least_float32(image)
    return image.clamp_min(_DARKEST) ** for_each("exponent", exponent, image)


def to_linear(image: Tensor) -> Tensor:
    """Convert sRGB (B, 3, H, W) to linear light (IEC 61966-2-1), by Kornia.

    Raises:
        UserError: another shape.
    """
    check_image(image)
    linear: Tensor = rgb_to_linear_rgb(at_least_float32(image))
    return linear


def to_srgb(image: Tensor) -> Tensor:
    """Convert linear light (B, 3, H, W) to sRGB (IEC 61966-2-1), by Kornia.

    Raises:
        UserError: another shape.
    """
    check_image(image)
    encoded: Tensor = linear_rgb_to_rgb(at_least_float32(image))
    return encoded


def tone(image: Tensor, strength: Tensor | float = 1.0) -> Tensor:
    r"""Apply an S-shaped tone curve, ``(1 - s) x + s (3 x^2 - 2 x^3)`` of the clamped x.

    With s = 1 the global tone mapping of Brooks et al. 2019, section 3.6.

    Args:
        image: (B, C, H, W) with C 1 or 3; clamped to [0, 1].
        strength: s in [0, 1], one number or (B,).

    Raises:
        UserError: another shape.
    """
    check_image(image, (3, 1))
    image = at_least_float32(image).clamp(0, 1)
    return torch.lerp(
        image, (3 - 2 * image) * image.square(), for_each("strength", strength, image)
    )


def untone(image: Tensor, strength: Tensor | float = 1.0) -> Tensor:
    r"""Invert :func:`tone`, by the middle root of its cubic.

    With x = 1/2 + u and y = ``image``, the equation is 2 s u^3 - (1 + s/2) u + y - 1/2 = 0, so

    .. math:: u = 2 \sqrt{a / 3} \, \sin(\arcsin(b) / 3), \quad a = \frac{2 + s}{4 s}, \quad
        b = \frac{y - 1/2}{2 s} \cdot \frac{3}{2 a} \sqrt{3 / a}

    which is 1/2 - sin(arcsin(1 - 2 y) / 3) for s = 1 (Brooks et al. 2019). There the slope is
    infinite at 0 and 1; b is kept 2^-23 below 1 for a finite gradient, and the result within 2e-4.

    Args:
        image: (B, C, H, W) with C 1 or 3; clamped to [0, 1].
        strength: s in [0, 1], one number or (B,).

    Raises:
        UserError: another shape.
    """
    check_image(image, (3, 1))
    image = at_least_float32(image).clamp(0, 1)
    s = for_each("strength", strength, image).clamp_min(1e-6)
    a = (2 + s) / (4 * s)
    b = (image - 0.5) * (0.75 / (a * s) * (3 / a).sqrt())
    limit = 1 - 2**-23
    return 0.5 + 2 * (a / 3).sqrt() * (b.clamp(-limit, limit).asin() / 3).sin()


def quantise(image: Tensor, bits: int = 8) -> Tensor:
    """Clamp to [0, 1] and quantise to ``bits`` bits, with a straight-through gradient.

    Args:
        image: (B, C, H, W) with C 1 or 3.
        bits: 1 to 16; sensors' converters usually have 10 to 14.

    Raises:
        UserError: another shape, another number of bits.
    """
    check_image(image, (3, 1))
    check_integer("Argument `bits`", bits, 1, 16)
    image = at_least_float32(image)
    if bits == 8:
        return to_8_bit(image)
    steps = 2**bits - 1
    rounded = image.detach().clamp(0, 1).mul(steps).round().div(steps)
    return image + (rounded - image.detach())
