"""Classifier two-sample test: can a classifier tell two sets of photos apart?

An accuracy of 50 % means that it cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.stats import t as student
from torch import Tensor

FOLDS = 5  # of the cross-validation, at most
HIDDEN = 64  # random features beside the given ones
RIDGE = 0.03  # regularisation of the covariance of standardised features
SHUFFLES = 200  # permutations of the labels
HALVINGS = 20  # random splits of the first set


@dataclass(frozen=True)
class TwoSample:
    """How well a classifier tells two sets apart.

    Attributes:
        accuracy: share of held-out crops classified correctly; each photo and each set has the
            same weight. 0.5 is guessing.
        low: lower end of the 95 % confidence interval over photos.
        high: upper end.
        chance: accuracy that is exceeded in 5 % of the cases if the labels are permuted.
        p_value: share of permutations with at least this accuracy.
        halves: the mean accuracy between random halves of the first set; None for under 4 photos.
        halves_low: of those accuracies, the 5 % quantile.
        halves_high: the 95 % quantile.
        separation: distance of the two sets' means along the classifier's direction, in standard
            deviations of the crops within a set (d'), of held-out crops; above an accuracy of
            about 98 % it still tells more from less.
    """

    accuracy: float
    low: float
    high: float
    chance: float
    p_value: float
    halves: float | None
    halves_low: float | None
    halves_high: float | None
    separation: float


@dataclass(frozen=True)
class _Photo:
    """The features of its crops, (n, d), their mean (d,) and mean square (d, d)."""

    crops: Tensor
    mean: Tensor
    square: Tensor

    @classmethod
    def of(cls, crops: Tensor) -> _Photo:
        return cls(crops, crops.mean(0), crops.T @ crops / len(crops))


def two_sample(real: Sequence[Tensor], fake: Sequence[Tensor], seed: int = 0) -> TwoSample:
    """Classify two sets by Fisher's linear discriminant, cross-validated over photos.

    Classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545), on the given features
    and on random nonlinear features of them. All crops of a photo are in one fold, because they
    share their scene. The distribution under chance is found by permuting the photos' labels,
    which is exact for any features.

    Args:
        real: (crops, features) of each photo of the first set.
        fake: of the second; at least 2 photos in each.
        seed: of the random features, the folds and the permutations.
    """
    generator = torch.Generator().manual_seed(seed)
    photos, labels = _labelled(real, fake, generator)
    right, score = _told(photos, labels, generator)
    accuracy, margin = _balanced(right, labels)
    shuffled = []
    for _ in range(SHUFFLES):
        other = labels[torch.randperm(len(labels), generator=generator)]
        shuffled.append(_balanced(_told(photos, other, generator)[0], other)[0])
    by_chance = torch.tensor(shuffled)
    halves = _halves(photos[: len(real)], generator)
    return TwoSample(
        accuracy=accuracy,
        low=max(accuracy - margin, 0.0),
        high=min(accuracy + margin, 1.0),
        chance=by_chance.quantile(0.95).item(),
        # Counting the true labelling too, so that it is never 0.
        p_value=(1 + int((by_chance >= accuracy).sum())) / (1 + SHUFFLES),
        halves=halves.mean().item() if len(halves) else None,
        halves_low=halves.quantile(0.05).item() if len(halves) else None,
        halves_high=halves.quantile(0.95).item() if len(halves) else None,
        separation=_apart(score, labels),
    )


def separation(real: Sequence[Tensor], fake: Sequence[Tensor], seed: int = 0) -> float:
    """The separation of :class:`TwoSample` alone, without what tells it from chance.

    Args:
        real: (crops, features) of each photo of the first set.
        fake: of the second; at least 2 photos in each.
        seed: of the random features and the folds.
    """
    generator = torch.Generator().manual_seed(seed)
    photos, labels = _labelled(real, fake, generator)
    return _apart(_told(photos, labels, generator)[1], labels)


def _labelled(
    real: Sequence[Tensor], fake: Sequence[Tensor], generator: torch.Generator
) -> tuple[list[_Photo], Tensor]:
    """All photos, and which of them are of the first set."""
    photos = [_Photo.of(crops) for crops in _hidden([*real, *fake], generator)]
    return photos, torch.tensor([True] * len(real) + [False] * len(fake))


def _apart(score: Tensor, labels: Tensor) -> float:
    return float(score[labels].mean() - score[~labels].mean())


def _halves(photos: list[_Photo], generator: torch.Generator) -> Tensor:
    if len(photos) < 4:
        return torch.empty(0)
    found = []
    for _ in range(HALVINGS):
        half = torch.randperm(len(photos), generator=generator) < len(photos) // 2
        found.append(_balanced(_told(photos, half, generator)[0], half)[0])
    return torch.tensor(found)


def _hidden(photos: list[Tensor], generator: torch.Generator) -> list[Tensor]:
    """Standardised features, and ``max(0, W f + b)`` of them with random W and b."""
    together = torch.cat(photos)
    mean, std = together.mean(0), together.std(0).clamp(min=1e-6)
    count = together.shape[1]
    weight = torch.randn(count, HIDDEN, generator=generator, dtype=torch.float64) / count**0.5
    bias = torch.randn(HIDDEN, generator=generator, dtype=torch.float64)
    made = []
    for photo in photos:
        plain = ((photo - mean) / std).clamp(-5, 5)
        made.append(torch.cat([plain, (plain @ weight + bias).relu()], 1))
    return made


def _told(
    photos: list[_Photo], labels: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """What a classifier trained without a photo says of its crops.

    Share of them that it gets right, and their mean distance from its threshold, in standard
    deviations within a set; real is positive.
    """
    means = torch.stack([photo.mean for photo in photos])
    squares = torch.stack([photo.square for photo in photos])
    fold = _folds(labels, generator)
    right, score = torch.empty(2, len(labels), dtype=torch.float64)
    for number in fold.unique():
        seen = fold != number
        real, fake = means[seen & labels].mean(0), means[seen & ~labels].mean(0)
        # Each set weighs the same, whatever its number of photos.
        within = (squares[seen & labels].mean(0) - real.outer(real)) / 2
        within = within + (squares[seen & ~labels].mean(0) - fake.outer(fake)) / 2
        within = within + RIDGE * torch.eye(len(within), dtype=within.dtype)
        direction = torch.linalg.solve(within, real - fake)
        direction = direction / (direction @ within @ direction).clamp(min=1e-12).sqrt()
        middle = (real + fake) @ direction / 2
        for index in (~seen).nonzero()[:, 0].tolist():
            scores = photos[index].crops @ direction - middle
            taken_for_real = (scores > 0).double().mean()
            right[index] = taken_for_real if labels[index] else 1 - taken_for_real
            score[index] = scores.mean()
    return right, score


def _folds(labels: Tensor, generator: torch.Generator) -> Tensor:
    """The fold of each photo; every fold holds as many photos of each set as can be."""
    fold = torch.empty(len(labels), dtype=torch.long)
    count = min(FOLDS, int(labels.sum()), int((~labels).sum()))
    for side in (labels, ~labels):
        own = side.nonzero()[:, 0]
        fold[own[torch.randperm(len(own), generator=generator)]] = torch.arange(len(own)) % count
    return fold


def _balanced(right: Tensor, labels: Tensor) -> tuple[float, float]:
    """The mean of both sets' shares, and half of its 95 % confidence interval over photos."""
    sides = [right[labels], right[~labels]]
    accuracy = sum(side.mean().item() for side in sides) / 2
    variance = sum(side.var().item() / len(side) for side in sides) / 4
    freedom = min(len(side) for side in sides) - 1
    return accuracy, float(student.ppf(0.975, freedom)) * variance**0.5
