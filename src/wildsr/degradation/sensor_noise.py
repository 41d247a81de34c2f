"""Signal-dependent noise: Poisson, its normal approximation, Poisson-Gaussian.

Conventions as in :mod:`wildsr.degradation.noise`. Negative brightness counts as 0 here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.argument import check_image, for_each
from wildsr.degradation.draw import check_generators, draws_for
from wildsr.degradation.noise import Generators, gray_mask, shared
from wildsr.error import UserError
from wildsr.pixels import at_least_float32, rounded, torchvision_luma

FLOOR = 0.01 / 255  # standard deviation below which the square root is replaced by a line


def poisson(
    image: Tensor,
    scale: Tensor | float = 1.0,
    levels: Tensor | float | None = None,
    gray: Tensor | None = None,
    generators: Generators = None,
) -> Tensor:
    r"""Add Poisson noise as Real-ESRGAN does, drawn by ``torch.poisson``.

    .. math:: image + scale (Poisson(levels \, x) / levels - x)

    with x the image in 8 bits, ``round(255 clamp(image, 0, 1)) / 255``, so that the mean is the
    image and the variance ``scale^2 x / levels``. (Wang et al. 2021, arXiv:2107.10833, section
    3.2; the definition is that of its code.) Gray noise is drawn for the image's luma, and the same
    in all channels.

    No gradient flows through the noise. ``poisson_normal`` is four times as fast, six times with
    given levels, and fully differentiable.

    Args:
        image: (B, 1 or 3, H, W), floats.
        scale: factor of the noise; one number or (B,).
        levels: photons at full brightness; None: counted (``level_count``) for each sample, on the
            luma if the noise is gray.
        gray: (B,) booleans: samples whose noise is the same in all channels; None: none.
        generators: to draw from, on the CPU also for images on another device.

    Returns:
        (B, 1 or 3, H, W), float32 at least, not clamped.

    Raises:
        UserError: shapes that do not fit, pixels that are not finite, or levels not above 0.
    """
    image, light, photons = _exposed(image, levels, gray)
    check_generators(generators, len(image))
    with torch.no_grad():
        light = rounded(light).div(255)
        noise = _counts(light * photons, gray, generators) / photons - light
    return torch.addcmul(image, noise, for_each("scale", scale, image))


def poisson_normal(
    image: Tensor,
    scale: Tensor | float = 1.0,
    levels: Tensor | float | None = None,
    gray: Tensor | None = None,
    draws: Tensor | None = None,
    generators: Generators = None,
) -> Tensor:
    r"""Add normal noise of the mean and variance of :func:`poisson`.

    .. math:: image + scale \sqrt{x / levels} \; n, \qquad x = clamp(image, 0, 1)

    with n standard normal; differentiable in ``image``, ``scale`` and ``levels``. Below 0.01/255
    the square root is replaced by a line, as its slope would be infinite at black.

    Args:
        image: (B, 1 or 3, H, W), floats.
        scale: factor of the noise; one number or (B,).
        levels: as in :func:`poisson`.
        gray: as in :func:`poisson`.
        draws: n, in the image's shape; gray noise takes the first channel.
        generators: to draw n from.

    Returns:
        (B, 1 or 3, H, W), float32 at least, not clamped.

    Raises:
        UserError: shapes that do not fit, pixels that are not finite, levels not above 0, or both
            draws and generators.
    """
    image, light, photons = _exposed(image, levels, gray)
    noise = shared(draws_for(image, draws, generators), gray)
    deviation = for_each("scale", scale, image) * _root(light.clamp(0, 1) / photons)
    return torch.addcmul(image, noise, deviation)


def poisson_gauss(
    image: Tensor,
    shot: Tensor | float,
    read: Tensor | float,
    draws: Tensor | None = None,
    generators: Generators = None,
) -> Tensor:
    r"""Add the signal-dependent noise of a linear sensor (Foi et al. 2008, eq. 2).

    .. math:: image + \sqrt{shot^2 \max(image, 0) + read^2} \; n

    with n standard normal, independent for each pixel and channel. Below 0.01/255 the square root
    is replaced by a line, as its slope would be infinite at black.

    Args:
        image: (B, 1 or 3, H, W), floats.
        shot: standard deviation of the shot noise at white, in [0, 1] units; one number or (B,).
        read: standard deviation at black, in [0, 1] units; one number or (B,).
        draws: n, in the image's shape.
        generators: to draw n from.

    Returns:
        (B, 1 or 3, H, W), float32 at least, not clamped; differentiable in ``image``, ``shot`` and
        ``read``.

    Raises:
        UserError: shapes that do not fit, or both draws and generators.
    """
    check_image(image, (1, 3))
    image = at_least_float32(image)
    noise = draws_for(image, draws, generators)
    shot, read = for_each("shot", shot, image), for_each("read", read, image)
    return torch.addcmul(image, noise, _root(shot**2 * image.clamp_min(0) + read**2))


@torch.no_grad()
def level_count(image: Tensor) -> Tensor:
    """Count the distinct 8-bit values of each image, rounded up to a power of 2.

    Args:
        image: (B, C, H, W), [0, 1].

    Returns:
        (B,): 1, 2, 4, ... or 256, in the image's dtype.
    """
    count = len(image)
    place = 256 * torch.arange(count, device=image.device)
    values = rounded(image).flatten(1).long() + place[:, None]
    distinct = (torch.bincount(values.flatten(), minlength=256 * count).view(count, 256) > 0).sum(1)
    powers = 2 ** torch.arange(9, device=image.device)
    return powers[torch.searchsorted(powers, distinct)].to(image.dtype)


def _exposed(
    image: Tensor, levels: Tensor | float | None, gray: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The image, the brightness that its noise is drawn for, and the levels (B, 1, 1, 1)."""
    check_image(image, (1, 3))
    image = at_least_float32(image)
    if image.device.type == "cpu" and not bool(torch.isfinite(image).all()):
        raise UserError(
            "Argument `image` must hold finite numbers, but got NaN or infinite pixels."
        )
    light = (
        image
        if gray is None
        else torch.where(gray_mask(gray, image), torchvision_luma(image), image)
    )
    photons = for_each("levels", level_count(light) if levels is None else levels, image)
    if photons.device.type == "cpu" and not bool((photons > 0).all()):
        raise UserError(f"Argument `levels` must be above 0, but got {photons.flatten().tolist()}.")
    return image, light, photons


def _counts(rate: Tensor, gray: Tensor | None, generators: Generators) -> Tensor:
    """Poisson numbers, one channel for all where ``gray`` holds."""
    if gray is None and generators is None:
        return torch.poisson(rate)
    counts = torch.empty_like(rate)
    grays = [False] * len(rate) if gray is None else gray.tolist()
    for i, is_gray in enumerate(grays):
        own = rate[i, :1] if is_gray else rate[i]
        if generators is None:
            counts[i] = torch.poisson(own)
        else:
            counts[i] = torch.poisson(own.cpu(), generator=generators[i]).to(rate.device)
    return counts


def _root(variance: Tensor) -> Tensor:
    """The square root, from ``FLOOR`` down the line to 0: of finite slope everywhere."""
    return variance * variance.clamp_min(FLOOR**2).rsqrt()
