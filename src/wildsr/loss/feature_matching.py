"""Feature matching: distances of two images in a critic's features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.loss.pixel import comparable, l1
from wildsr.network.protocol import Layered
from wildsr.pixels import at_least_float32


def feature_matching(critic: nn.Module, prediction: Tensor, target: Tensor) -> Tensor:
    """Mean L1 between the critic's features of two images; see :class:`FeatureMatching`.

    Args:
        critic: a critic with ``features``.
        prediction: (B, C, H, W).
        target: the same shape.

    Raises:
        UserError: shapes that differ; a critic without ``features``.
    """
    layers = _layered(critic)
    prediction, target = comparable(prediction, target)
    # Both must be augmented alike: the random state is restored before the second pass.
    devices = [target.device] if target.is_cuda else []
    with torch.random.fork_rng(devices), torch.no_grad():
        goals = layers.features(target)
    features = layers.features(prediction)
    return torch.stack([l1(f, goal) for f, goal in zip(features, goals, strict=True)]).mean()


def mean_feature_matching(critic: nn.Module, fake: Tensor, real: Tensor) -> Tensor:
    """Squared distance of the critic's mean features; see :class:`MeanFeatureMatching`.

    Args:
        critic: a critic with ``features``.
        fake: (B, C, H, W).
        real: (N, C, h, w).

    Raises:
        UserError: a critic without ``features``.
    """
    layers = _layered(critic)
    with torch.no_grad():
        goals = [_mean(stage) for stage in layers.features(real)]
    means = [_mean(stage) for stage in layers.features(fake)]
    distances = [(m - goal).square().mean() for m, goal in zip(means, goals, strict=True)]
    return torch.stack(distances).mean()


class FeatureMatching(nn.Module):
    """Feature matching loss: L1 between a critic's features of an image and of its ground truth.

    ``mean over the stages of mean |f_i(prediction) - f_i(target)|`` (Wang et al. 2018,
    arXiv:1711.11585, eq. 2, which sums over the stages). No gradient reaches the target. Random
    front-ends (augmentation) change both images alike. Do not use it in the update that trains the
    critic, which would make its features vanish.

    Raises:
        UserError: images of two shapes; a critic without ``features``.
    """

    def forward(self, critic: nn.Module, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, 0 for equal images (B, C, H, W).

        Not quite 0 with spectral normalisation, which changes a critic in training at each pass.
        """
        return feature_matching(critic, prediction, target)


class MeanFeatureMatching(nn.Module):
    """Distance between a critic's mean features of generated and of real images, unpaired.

    ``mean over the stages of mean (E f_i(fake) - E f_i(real))^2``, E over the batch and all places,
    the mean over the channels (Salimans et al. 2016, arXiv:1606.03498, sec. 3.1: one stage, summed
    over its units, E over the batch alone). No gradient reaches the real images. Do not use it in
    the update that trains the critic.

    Raises:
        UserError: a critic without ``features``.
    """

    def forward(self, critic: nn.Module, fake: Tensor, real: Tensor) -> Tensor:
        """A scalar, from images (B, C, H, W), not necessarily as many or as large."""
        return mean_feature_matching(critic, fake, real)


def _mean(feature: Tensor) -> Tensor:
    """Over all but the channels: (B, C, ...) -> (C,)."""
    return at_least_float32(feature).mean([0, *range(2, feature.dim())])


def _layered(critic: nn.Module) -> Layered:
    if not isinstance(critic, Layered):
        raise UserError(
            "Argument `critic` must have `features` for feature matching (those of wildsr.network "
            f"have), but got {type(critic).__name__}."
        )
    return critic
