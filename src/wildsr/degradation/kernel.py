r"""Blur kernels for whole batches: one parameter for each sample, differentiable.

Every function here and in :mod:`wildsr.degradation.optics` takes parameters (B,), on any device,
and an odd ``size`` k, and returns kernels (B, k, k) with sum 1 in the parameters' dtype (float32
for half precision, in which sums are inexact). x points to the right, y downwards; angles are in
radians from x towards y, lengths in pixels. Invalid arguments raise
:class:`~wildsr.error.UserError`; values (a negative sigma) are checked on a CPU only, because that
would stall a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation.optics import delta, disc, motion
from wildsr.degradation.tap import Sloped, normalized, offsets, per_sample, require


def gaussian_taps(sigma: Tensor, size: int) -> Tensor:
    """One-dimensional Gaussian taps exp(-x^2 / (2 sigma^2)), normalised: (B,) -> (B, k).

    Args:
        sigma: standard deviation in pixels, (B,), positive.
        size: taps, odd.

    Raises:
        UserError: an even size, or a sigma that is not positive or not (B,).
    """
    (deviation,) = per_sample(size, sigma=sigma)
    require(sigma > 0, "sigma", sigma, "positive")
    x, _ = offsets(size, deviation)
    return torch.softmax(-0.5 * (x / deviation).square(), 2)[:, 0]


def isotropic(sigma: Tensor, size: int) -> Tensor:
    """Isotropic Gaussian kernel exp(-(x^2 + y^2) / (2 sigma^2)), normalised: (B,) -> (B, k, k).

    Arguments and errors as for :func:`gaussian_taps`.
    """
    taps = gaussian_taps(sigma, size)
    return taps[:, :, None] * taps[:, None, :]


def anisotropic(sigma_x: Tensor, sigma_y: Tensor, theta: Tensor, size: int) -> Tensor:
    r"""Rotated Gaussian :math:`\exp(-\frac{1}{2} p^T \Sigma^{-1} p)`.

    With p = (x, y) and :math:`\Sigma = R \, diag(\sigma_x^2, \sigma_y^2) R^T`, R the rotation by
    theta (Zhang et al. 2021, arXiv:2103.14006; Wang et al. 2021, arXiv:2107.10833, section 3.2).

    Args:
        sigma_x: standard deviation along the direction theta, (B,), positive.
        sigma_y: standard deviation across it, (B,), positive.
        theta: in radians from x towards y, (B,).
        size: taps a side, odd.

    Raises:
        UserError: an even size, a deviation that is not positive, tensors of several lengths.
    """
    distance = _distance(sigma_x, sigma_y, theta, torch.ones_like(sigma_x), size)[0]
    return torch.softmax(-0.5 * distance.flatten(1), 1).view_as(distance)


def generalized(sigma_x: Tensor, sigma_y: Tensor, theta: Tensor, beta: Tensor, size: int) -> Tensor:
    r"""Generalized Gaussian :math:`\exp(-\frac{1}{2} (p^T \Sigma^{-1} p)^\beta)`.

    Wang et al. 2021, arXiv:2107.10833, section 3.2, after Liu et al. 2020. A beta of 1 is the
    Gaussian, below it the tails are heavy, above it the top is flat.

    Args:
        sigma_x: as :func:`anisotropic` has it; a standard deviation only where beta is 1.
        sigma_y: likewise.
        theta: likewise.
        beta: the shape, (B,), positive.
        size: taps a side, odd.

    Raises:
        UserError: an even size, a deviation or beta that is not positive, several lengths.
    """
    distance, shape = _distance(sigma_x, sigma_y, theta, beta, size)
    middle = distance == 0
    # The middle is 0 for all parameters, but the derivative of 0^beta would be NaN.
    power = torch.exp((shape * distance.masked_fill(middle, 1).log()).clamp(max=_LARGE))
    return torch.softmax(-0.5 * power.masked_fill(middle, 0).flatten(1), 1).view_as(distance)


def plateau(sigma_x: Tensor, sigma_y: Tensor, theta: Tensor, beta: Tensor, size: int) -> Tensor:
    r"""Plateau-shaped kernel :math:`1 / (1 + (p^T \Sigma^{-1} p)^\beta)`.

    Wang et al. 2021, arXiv:2107.10833, section 3.2, after Liu et al. 2020. Normalised to sum 1;
    arguments (B,) and errors as for :func:`generalized`.
    """
    distance, shape = _distance(sigma_x, sigma_y, theta, beta, size)
    middle = distance == 0
    weight = torch.sigmoid(-shape * distance.masked_fill(middle, 1).log())
    return normalized(weight.masked_fill(middle, 1))


def sinc(cutoff: Tensor, size: int) -> Tensor:
    r"""Circular low-pass filter :math:`\frac{\omega}{2 \pi r} J_1(\omega r)`: ringing, overshoot.

    Wang et al. 2021, arXiv:2107.10833, eq. 6; :math:`\omega^2 / 4 \pi` in the middle. Its Fourier
    transform is 1 up to the frequency omega and 0 above it, apart from the truncation. Computed as
    :math:`2 J_1(\omega r) / (\omega r)`, 1 in the middle, divided by the sum, which is at least 1
    for all valid cutoffs and sizes up to 63. ``torch.special`` computes J_1 with an error of 5e-7,
    also in double precision.

    Args:
        cutoff: omega in radians per pixel, (B,), above 0 and up to pi, the Nyquist frequency;
            published pipelines draw it from pi / 3 to pi.
        size: taps a side, odd.

    Raises:
        UserError: an even size, a cutoff out of its range or not (B,).
    """
    (omega,) = per_sample(size, cutoff=cutoff)
    within = (cutoff > 0) & (cutoff <= math.pi * (1 + 1e-6))  # float32 rounds pi up
    require(within, "cutoff", cutoff, "above 0 and at most pi")
    x, y = offsets(size, omega)
    t = omega * (x.square() + y.square()).sqrt()
    with torch.no_grad():
        middle = t == 0
        safe = t.masked_fill(middle, 1)
        value = 2 * torch.special.bessel_j1(safe) / safe
        slope = 2 * (torch.special.bessel_j0(safe) - value) / safe  # -2 J_2(t) / t
    return normalized(Sloped.apply(t, value.masked_fill(middle, 1), slope.masked_fill(middle, 0)))


KINDS: dict[str, Callable[..., Tensor]] = {
    "isotropic": isotropic,
    "anisotropic": anisotropic,
    "generalized": generalized,
    "plateau": plateau,
    "sinc": sinc,
    "motion": motion,
    "disc": disc,
    "delta": delta,
}

_LARGE = 80.0  # e^80 is still finite in float32, and e^-(e^80) is 0


def _distance(
    sigma_x: Tensor, sigma_y: Tensor, theta: Tensor, beta: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """p^T Sigma^-1 p at every tap, (B, k, k), and beta as (B, 1, 1)."""
    along, across, angle, shape = per_sample(
        size, sigma_x=sigma_x, sigma_y=sigma_y, theta=theta, beta=beta
    )
    for name, value in {"sigma_x": sigma_x, "sigma_y": sigma_y, "beta": beta}.items():
        require(value > 0, name, value, "positive")
    x, y = offsets(size, along)
    cos, sin = angle.cos(), angle.sin()
    u, v = (x * cos + y * sin) / along, (y * cos - x * sin) / across
    return u.square() + v.square(), shape


def cascaded(kernel: Tensor, times: int) -> Tensor:
    r"""Combine repeated downscaling by 2 with the same kernel into one kernel (KernelGAN).

    .. math:: k_4[w] = \sum_{2v + u = w} k[v] \; k[u]

    because the second correlation's taps lie two pixels apart (Bell-Kligler et al. 2019,
    arXiv:1909.06581, supplementary, "x4").

    Args:
        kernel: (1, k, k), that downscales by 2.
        times: how often it is applied, at least 1.

    Returns:
        (1, K, K) with K = (2^times - 1)(k - 1) + 1.
    """
    whole = kernel[None]
    with torch.autocast(kernel.device.type, enabled=False):
        for _ in range(times - 1):
            whole = F.conv_transpose2d(whole, kernel[None], stride=2)
    return whole[0]
