"""Adversarial losses of both sides: the generator's and the critic's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from wildsr.error import UserError, unknown
from wildsr.loss.penalty import (
    members,
)

# The two functions of each kind, generator's (fake, real) and critic's (real, fake), take logits of
# any shape. The generator's ignores the real ones, except for "relativistic".
Game = tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]

GAMES: dict[str, Game] = {
    # Mao et al. 2017 (arXiv:1611.04076), labels 0 and 1; the generator's loss not halved.
    "least_squares": (
        lambda fake, real: (fake - 1).square().mean(),
        lambda real, fake: ((real - 1).square().mean() + fake.square().mean()) / 2,
    ),
    # Goodfellow et al. 2014 (arXiv:1406.2661), the generator's loss non-saturating.
    "vanilla": (
        lambda fake, real: F.softplus(-fake).mean(),
        lambda real, fake: (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2,
    ),
    # Miyato et al. 2018 (arXiv:1802.05957), eq. 16 and 17.
    "hinge": (
        lambda fake, real: -fake.mean(),
        lambda real, fake: (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2,
    ),
    # Jolicoeur-Martineau 2018 (arXiv:1807.00734), relativistic average, as in ESRGAN.
    "relativistic": (
        lambda fake, real: _relativistic(fake, real),
        lambda real, fake: _relativistic(real, fake),
    ),
    # Arjovsky et al. 2017 (arXiv:1701.07875), eq. 2; needs a penalty on the critic's gradient.
    "wasserstein": (
        lambda fake, real: -fake.mean(),
        lambda real, fake: fake.mean() - real.mean(),
    ),
    # Bell-Kligler et al. 2019 (arXiv:1909.06581), eq. 3: least squares with the L1 norm.
    "absolute": (
        lambda fake, real: (1 - fake.sigmoid()).mean(),
        lambda real, fake: ((1 - real.sigmoid()).mean() + fake.sigmoid().mean()) / 2,
    ),
}


def _relativistic(better: Tensor, worse: Tensor) -> Tensor:
    """Each of ``better`` should exceed the mean of ``worse``, and the reverse."""
    wins, losses = better - worse.mean(), worse - better.mean()
    return (F.softplus(-wins).mean() + F.softplus(losses).mean()) / 2


def fool(
    critic: nn.Module, fake: Tensor, real: Tensor | None = None, kind: str = "least_squares"
) -> Tensor:
    """The generator's adversarial loss, a scalar; see :class:`Fool`.

    Args:
        critic: maps images to logits, or to a tuple of logits.
        fake: (B, C, H, W).
        real: (B, C, H, W), for "relativistic".
        kind: see :class:`Fool`.

    Raises:
        UserError: an unknown kind; no ``real`` for "relativistic".
    """
    game = _game(kind)[0]
    if kind != "relativistic":
        return torch.stack([game(logits, logits) for logits in members(critic(fake))]).mean()
    if real is None:
        raise UserError("Argument `real` must be given for `kind` 'relativistic', but got None.")
    scales = [game(fakes, reals) for reals, fakes in _logits(critic, real, fake)]
    return torch.stack(scales).mean()


def judge(critic: nn.Module, real: Tensor, fake: Tensor, kind: str = "least_squares") -> Tensor:
    """The critic's adversarial loss, a scalar; see :class:`Judge`.

    Args:
        critic: maps images to logits, or to a tuple of logits.
        real: (B, C, H, W).
        fake: (B, C, H, W).
        kind: see :class:`Judge`.

    Raises:
        UserError: an unknown kind.
    """
    game = _game(kind)[1]
    return torch.stack([game(*scale) for scale in _logits(critic, real, fake)]).mean()


class Fool(nn.Module):
    """Adversarial loss of the generator: small if the critic takes fake images for real.

    With D the logits, of any shape, and means over all of them (for a critic of several scales,
    which returns a tuple of logits: the mean of what follows over the scales):

    - least_squares: mean (D(fake) - 1)^2
    - vanilla: mean softplus(-D(fake))
    - hinge: -mean D(fake)
    - relativistic: (mean softplus(mean D(real) - D(fake)) + mean softplus(D(real) - mean D(fake)))
      / 2
    - wasserstein: -mean D(fake)
    - absolute: mean |sigmoid D(fake) - 1|

    Gradient reaches ``fake`` through a frozen critic, too.

    Args:
        kind: one of the above.

    Raises:
        UserError: another kind; no ``real`` for "relativistic".
    """

    def __init__(self, kind: str = "least_squares") -> None:
        super().__init__()
        _game(kind)
        self.kind = kind

    def forward(self, critic: nn.Module, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """A scalar, from images (B, C, H, W)."""
        return fool(critic, fake, real, self.kind)


class Judge(nn.Module):
    """Adversarial loss of the critic: small if it tells real from fake images.

    With D the logits, of any shape, and means over all of them (for a critic of several scales,
    which returns a tuple of logits: the mean of what follows over the scales):

    - least_squares: (mean (D(real) - 1)^2 + mean D(fake)^2) / 2
    - vanilla: (mean softplus(-D(real)) + mean softplus(D(fake))) / 2
    - hinge: (mean relu(1 - D(real)) + mean relu(1 + D(fake))) / 2
    - relativistic: (mean softplus(mean D(fake) - D(real)) + mean softplus(D(fake) - mean D(real)))
      / 2
    - wasserstein: mean D(fake) - mean D(real), not halved; without a gradient penalty it has no
      lower bound
    - absolute: (mean |sigmoid D(real) - 1| + mean |sigmoid D(fake)|) / 2

    Nothing is detached here; the method sees to that. Images of one size pass through the critic in
    one batch, which is faster; images of two sizes pass separately, and so do all images if the
    critic has batch normalisation (where fake images would change the logits of real ones).

    Args:
        kind: one of the above.

    Raises:
        UserError: another kind.
    """

    def __init__(self, kind: str = "least_squares") -> None:
        super().__init__()
        _game(kind)
        self.kind = kind

    def forward(self, critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """A scalar, from images (B, C, H, W)."""
        return judge(critic, real, fake, self.kind)


def _game(kind: str) -> Game:
    if kind not in GAMES:
        raise unknown("Argument `kind`", kind, GAMES)
    return GAMES[kind]


def _logits(critic: nn.Module, real: Tensor, fake: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The logits of both at each scale, in float32 at least."""
    apart = any(isinstance(module, _BatchNorm) for module in critic.modules())
    if apart or real.shape[1:] != fake.shape[1:]:
        return list(zip(members(critic(real)), members(critic(fake)), strict=True))
    together = members(critic(torch.cat([real, fake])))
    return [(logits[: len(real)], logits[len(real) :]) for logits in together]
