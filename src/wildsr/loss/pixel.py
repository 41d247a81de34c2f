"""Pixel losses: L1, L2, Charbonnier, Huber."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.pixels import at_least_float32


def comparable(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Check that two tensors, of any shape, have the same shape; return both in float32 at least.

    Raises:
        UserError: shapes that differ; broadcasting would hide the mistake.
    """
    if prediction.shape != target.shape:
        raise UserError(
            "Arguments `prediction` and `target` must have the same shape, but got "
            f"{tuple(prediction.shape)} and {tuple(target.shape)}."
        )
    return at_least_float32(prediction), at_least_float32(target)


def l1(prediction: Tensor, target: Tensor, weight_map: Tensor | None = None) -> Tensor:
    """Mean absolute difference of two tensors of one shape; see :class:`L1`."""
    prediction, target = comparable(prediction, target)
    return _mean((prediction - target).abs(), weight_map)


def l2(prediction: Tensor, target: Tensor, weight_map: Tensor | None = None) -> Tensor:
    """Mean squared difference of two tensors of one shape; see :class:`L2`."""
    prediction, target = comparable(prediction, target)
    return _mean((prediction - target).square(), weight_map)


def charbonnier(
    prediction: Tensor, target: Tensor, eps: float = 1e-3, weight_map: Tensor | None = None
) -> Tensor:
    """Charbonnier loss of two tensors of one shape; see :class:`Charbonnier`."""
    prediction, target = comparable(prediction, target)
    return _mean(((prediction - target).square() + eps**2).sqrt(), weight_map)


def huber(
    prediction: Tensor, target: Tensor, delta: float = 0.1, weight_map: Tensor | None = None
) -> Tensor:
    """Huber loss of two tensors of one shape; see :class:`Huber`."""
    prediction, target = comparable(prediction, target)
    return _mean(F.huber_loss(prediction, target, reduction="none", delta=delta), weight_map)


def noise_mean(noise: Tensor) -> Tensor:
    """Mean square of generated noise, of any shape; see :class:`NoiseMean`."""
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

        Args:
            prediction: of any shape.
            target: the same shape.
            weight_map: (B, 1, H, W) or the shape of the images, at least 0: multiplies each pixel's
                difference before the mean over all elements.

        Raises:
            UserError: shapes that differ.
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
        eps: the difference at which the square turns into the absolute value; also the loss of
            equal images.

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

    Huber 1964 (Annals of Mathematical Statistics 35), as ``torch.nn.HuberLoss``: the gradient of
    outliers is at most delta.

    Args:
        delta: the difference at which the square turns into a line, in [0, 1] units. With torch's
            default of 1 the loss would be half of L2 for images in [0, 1].

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

    The authors name it after the zero mean that it asks for, but compute MSE(noise, 0), which also
    limits the noise level. Their weights are 1 to 100 (Luo et al. 2022, arXiv:2203.04962).
    """

    def forward(self, noise: Tensor) -> Tensor:
        """The mean square of ``noise`` (B, 3, H, W), in [0, 1] units."""
        return noise_mean(noise)
