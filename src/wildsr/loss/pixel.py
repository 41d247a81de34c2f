"""Losses of pixel against pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.error import UserError


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` itself, or in float32 where it has fewer bits: sums of losses need them."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def comparable(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float32 at least.

    Raises:
        UserError: two shapes; broadcasting would hide the mistake.
    """
    if prediction.shape != target.shape:
        raise UserError(
            "Arguments `prediction` and `target` must have the same shape, but got "
            f"{tuple(prediction.shape)} and {tuple(target.shape)}."
        )
    return at_least_float32(prediction), at_least_float32(target)


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of ``prediction`` and ``target``."""
    prediction, target = comparable(prediction, target)
    return (prediction - target).abs().mean()


def l2(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean of (prediction - target)^2."""
    prediction, target = comparable(prediction, target)
    return (prediction - target).square().mean()


def charbonnier(prediction: Tensor, target: Tensor, eps: float = 1e-3) -> Tensor:
    """Mean of sqrt((prediction - target)^2 + eps^2); eps where both are equal."""
    prediction, target = comparable(prediction, target)
    return ((prediction - target).square() + eps**2).sqrt().mean()


def noise_mean(noise: Tensor) -> Tensor:
    """Mean of noise^2, the mean squared deviation of generated noise from 0."""
    return at_least_float32(noise).square().mean()


class L1(nn.Module):
    """Mean absolute difference; a scalar, 0 for equal images."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors of one shape, for instance (B, 3, H, W) in [0, 1]."""
        return l1(prediction, target)


class L2(nn.Module):
    """Mean squared difference; a scalar, 0 for equal images."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors of one shape, for instance (B, 3, H, W) in [0, 1]."""
        return l2(prediction, target)


class Charbonnier(nn.Module):
    """Mean of sqrt(d^2 + eps^2), Charbonnier's penalty (Lai et al. 2017, arXiv:1704.03915).

    Args:
        eps: where the square turns into the absolute value; the loss of equal images.

    Raises:
        UserError: an eps that is not positive.
    """

    def __init__(self, eps: float = 1e-3) -> None:
        super().__init__()
        if not eps > 0:
            raise UserError(f"Argument `eps` must be positive, but got {eps!r}.")
        self.eps = eps

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors of one shape, for instance (B, 3, H, W) in [0, 1]."""
        return charbonnier(prediction, target, self.eps)


class NoiseMean(nn.Module):
    """Mean square of generated noise: PDM-SR's prior that noise is close to 0.

    The authors name it after the zero mean that it asks for, and compute MSE(noise, 0): it holds
    back the noise's own level as well. Weights of 1 to 100 there (Luo et al. 2022,
    arXiv:2203.04962).
    """

    def forward(self, noise: Tensor) -> Tensor:
        """The mean square of ``noise`` (B, 3, H, W), in units where white is 1."""
        return noise_mean(noise)
