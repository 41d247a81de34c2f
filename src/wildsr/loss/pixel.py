"""Losses pixel by pixel."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.pixels import at_least_float32


def comparable(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Check that two tensors have one shape; both in float32 at least.

    Raises:
        UserError: two shapes; broadcasting would hide the mistake.
    """
    if prediction.shape != target.shape:
        raise UserError(
            "Arguments `prediction` and `target` must have the same shape, but got "
            f"{tuple(prediction.shape)} and {tuple(target.shape)}."
        )
    return at_least_float32(prediction), at_least_float32(target)


def l1(prediction: Tensor, target: Tensor, weight_map: Tensor | None = None) -> Tensor:
    """Mean absolute difference of ``prediction`` and ``target``."""
    prediction, target = comparable(prediction, target)
    return _mean((prediction - target).abs(), weight_map)


def l2(prediction: Tensor, target: Tensor, weight_map: Tensor | None = None) -> Tensor:
    """Mean squared difference of ``prediction`` and ``target``."""
    prediction, target = comparable(prediction, target)
    return _mean((prediction - target).square(), weight_map)


def charbonnier(
    prediction: Tensor, target: Tensor, eps: float = 1e-3, weight_map: Tensor | None = None
) -> Tensor:
    """Charbonnier loss: mean sqrt((prediction - target)^2 + eps^2); eps for equal images."""
    prediction, target = comparable(prediction, target)
    return _mean(((prediction - target).square() + eps**2).sqrt(), weight_map)


def huber(
    prediction: Tensor, target: Tensor, delta: float = 0.1, weight_map: Tensor | None = None
) -> Tensor:
    """Huber loss: mean of d^2 / 2 where |d| <= delta, of delta (|d| - delta / 2) beyond."""
    prediction, target = comparable(prediction, target)
    return _mean(F.huber_loss(prediction, target, reduction="none", delta=delta), weight_map)


def noise_mean(noise: Tensor) -> Tensor:
    """Mean square of generated noise; see :class:`NoiseMean`."""
    return at_least_float32(noise).square().mean()


def _mean(penalty: Tensor, weight_map: Tensor | None) -> Tensor:
    """The mean of ``weight_map * penalty`` over the elements of ``penalty``, not over the weights.

    Raises:
        UserError: a map of neither the penalty's shape nor that shape with one channel.
    """
    if weight_map is None:
        return penalty.mean()
    one_channel = (*penalty.shape[:1], 1, *penalty.shape[2:])
    if tuple(weight_map.shape) not in (tuple(penalty.shape), one_channel):
        raise UserError(
            f"Argument `weight_map` must have the shape {tuple(penalty.shape)} of the images or "
            f"{one_channel}, but got {tuple(weight_map.shape)}."
        )
    return (at_least_float32(weight_map) * penalty).mean()


class L1(nn.Module):
    """Mean absolute difference, a scalar; 0 for equal images."""

    def forward(
        self, prediction: Tensor, target: Tensor, weight_map: Tensor | None = None
    ) -> Tensor:
        """Compare two tensors of one shape, for instance (B, 3, H, W) in [0, 1].

        ``weight_map``, (B, 1, H, W) or the images' shape and at least 0, multiplies each pixel's
        penalty before the mean over all elements.
        """
        return l1(prediction, target, weight_map)


class L2(nn.Module):
    """Mean squared difference, a scalar; 0 for equal images."""

    def forward(
        self, prediction: Tensor, target: Tensor, weight_map: Tensor | None = None
    ) -> Tensor:
        """Compare as :class:`L1` does, ``weight_map`` included."""
        return l2(prediction, target, weight_map)


class Charbonnier(nn.Module):
    """Charbonnier loss, mean sqrt(d^2 + eps^2) (Lai et al. 2017, arXiv:1704.03915).

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

    def forward(
        self, prediction: Tensor, target: Tensor, weight_map: Tensor | None = None
    ) -> Tensor:
        """Compare as :class:`L1` does, ``weight_map`` included."""
        return charbonnier(prediction, target, self.eps, weight_map)


class Huber(nn.Module):
    """Huber loss: mean d^2 / 2 up to |d| = delta, delta (|d| - delta / 2) beyond.

    Huber 1964 (Annals of Mathematical Statistics 35), as ``torch.nn.HuberLoss``: outliers pull
    with a gradient of delta at most.

    Args:
        delta: where the square turns into a line, in units where white is 1. Torch's default of 1
            would leave half of L2 for images in [0, 1].

    Raises:
        UserError: a delta that is not positive.
    """

    def __init__(self, delta: float = 0.1) -> None:
        super().__init__()
        if not delta > 0:
            raise UserError(f"Argument `delta` must be positive, but got {delta!r}.")
        self.delta = delta

    def forward(
        self, prediction: Tensor, target: Tensor, weight_map: Tensor | None = None
    ) -> Tensor:
        """Compare as :class:`L1` does, ``weight_map`` included."""
        return huber(prediction, target, self.delta, weight_map)


class NoiseMean(nn.Module):
    """Mean square of generated noise: PDM-SR's prior that noise is small.

    The authors name it after the zero mean that it asks for, and compute MSE(noise, 0): it holds
    back the noise's own level as well. Weights of 1 to 100 there (Luo et al. 2022,
    arXiv:2203.04962).
    """

    def forward(self, noise: Tensor) -> Tensor:
        """The mean square of ``noise`` (B, 3, H, W), in units where white is 1."""
        return noise_mean(noise)
