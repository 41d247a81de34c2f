"""Stripes of line sensors and speckle of coherent imaging.

Conventions as in :mod:`wildsr.degradation.noise`, for any number of channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.argument import check_batch, for_each
from wildsr.degradation.draw import check_generators, normal
from wildsr.degradation.kernel import anisotropic
from wildsr.degradation.noise import Generators, shared
from wildsr.degradation.tap import require
from wildsr.error import UserError
from wildsr.pixels import at_least_float32

ALONG = ("columns", "rows")


def stripes(
    image: Tensor,
    gain: Tensor | float,
    offset: Tensor | float,
    along: str = "columns",
    generators: Generators = None,
) -> Tensor:
    """Simulate a line sensor whose detectors differ in gain and offset, which causes stripes.

    ``image (1 + gain n) + offset m`` with n and m standard normal, one for each column (or row) and
    channel, as in pushbroom satellites, flatbed scanners and thermal line cameras.

    Args:
        image: (B, C, H, W).
        gain: standard deviation of the gains around 1; one number or (B,).
        offset: standard deviation of the offsets, in [0, 1] units; one number or (B,).
        along: "columns" or "rows": the direction of the stripes.
        generators: to draw from; see :mod:`wildsr.degradation.draw`.

    Returns:
        (B, C, H, W), not clamped; differentiable in image, gain and offset.

    Raises:
        UserError: shapes that do not fit, or another direction.
    """
    check_batch(image)
    if along not in ALONG:
        raise UserError(f"Argument `along` must be one of {list(ALONG)}, but got {along!r}.")
    whole = at_least_float32(image)
    count, channels, height, width = image.shape
    size = (1, width) if along == "columns" else (height, 1)
    drawn = normal((count, 2 * channels, *size), generators, whole)
    n, m = drawn[:, :channels], drawn[:, channels:]
    return whole * (1 + for_each("gain", gain, whole) * n) + for_each("offset", offset, whole) * m


def gamma_speckle(
    image: Tensor,
    looks: Tensor | float,
    amplitude: bool = False,
    gray: Tensor | None = None,
    generators: Generators = None,
) -> Tensor:
    """Multiply by the speckle of a synthetic aperture radar: gamma noise of mean 1.

    Intensity of L looks is gamma-distributed with variance 1 / L (Goodman 1976); its root, the
    amplitude, has a Nakagami distribution, which is scaled to mean 1 here.

    Args:
        image: (B, C, H, W), at least 0.
        looks: L, above 0; one number or (B,).
        amplitude: whether the image holds amplitudes.
        gray: (B,) booleans: samples whose noise is the same in all channels; None: none.
        generators: to draw from; see :mod:`wildsr.degradation.draw`.

    Returns:
        (B, C, H, W), not clamped; differentiable in the image and in ``looks``.

    Raises:
        UserError: shapes that do not fit, looks of 0 or less.
    """
    check_batch(image)
    check_generators(generators, len(image))
    whole = at_least_float32(image)
    shape = for_each("looks", looks, whole)
    require(shape > 0, "looks", shape, "above 0")
    wide = shape.expand_as(whole)
    if generators is None:
        drawn = torch._standard_gamma(wide)
    else:
        # Drawn on the CPU, where the generators are
        parts = [
            torch._standard_gamma(sample.cpu(), generator=generator)
            for sample, generator in zip(wide, generators, strict=True)
        ]
        drawn = torch.stack(parts).to(whole)
    noise = shared(drawn, gray) / shape
    if amplitude:
        mean = (torch.lgamma(shape + 0.5) - torch.lgamma(shape)).exp() / shape.sqrt()
        noise = noise.clamp_min(1e-12).sqrt() / mean
    return whole * noise


def rayleigh_speckle(
    image: Tensor,
    lateral: Tensor | float,
    axial: Tensor | float,
    strength: Tensor | float = 1.0,
    generators: Generators = None,
) -> Tensor:
    """Multiply by fully developed ultrasound speckle: correlated Rayleigh noise of mean 1.

    The envelope of complex Gaussian scatterers imaged with a Gaussian pulse (Wagner et al. 1983):
    variance 4 / pi - 1, the same in all channels.

    Args:
        image: (B, C, H, W).
        lateral: the pulse's standard deviation across the beam (x), in pixels; one number or (B,).
        axial: along it (y), likewise.
        strength: of the speckle; 0 leaves the image as it is; one number or (B,).
        generators: to draw from; see :mod:`wildsr.degradation.draw`.

    Returns:
        (B, C, H, W), not clamped; differentiable in the image and in ``strength``.

    Raises:
        UserError: shapes that do not fit, a width of 0 or less.
    """
    check_batch(image)
    whole = at_least_float32(image)
    x, y = (
        for_each(name, value, whole).flatten()
        for name, value in (("lateral", lateral), ("axial", axial))
    )
    require(x > 0, "lateral", x, "above 0 pixels")
    require(y > 0, "axial", y, "above 0 pixels")
    count, _, height, width = image.shape
    scatterers = normal((count, 2, height, width), generators, whole)
    waves = _through(scatterers, x, y)
    field = waves.square().sum(1, keepdim=True).clamp_min(1e-12).sqrt() * (2 / torch.pi) ** 0.5
    return whole * (1 + for_each("strength", strength, whole) * (field - 1))


def _through(noise: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """White noise filtered by Gaussians round the borders, its variance kept."""
    height, width = noise.shape[2:]
    size = 2 * int(4 * torch.maximum(x, y).detach().max().ceil().item()) + 1
    kernel = anisotropic(x, y, torch.zeros_like(x), size)
    taps = torch.arange(size, device=noise.device) - size // 2
    whole = kernel.new_zeros(len(kernel), height, size).index_add(1, taps % height, kernel)
    whole = whole.new_zeros(len(whole), height, width).index_add(2, taps % width, whole)
    spectrum = torch.fft.rfft2(whole / whole.square().sum((1, 2), keepdim=True).sqrt())
    return torch.fft.irfft2(torch.fft.rfft2(noise) * spectrum[:, None], s=(height, width))
