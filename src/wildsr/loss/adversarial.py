"""Both sides of the adversarial games: to fool a critic, and to judge."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from wildsr.error import UserError, unknown
from wildsr.loss.pixel import at_least_float32

# Each takes logits of any shape: fool(fake, real), judge(real, fake). Fooling ignores the real
# ones but in the relativistic game.
Game = tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]

GAMES: dict[str, Game] = {
    # Mao et al. 2017 (arXiv:1611.04076), labels 0 and 1; the generator's side not halved.
    "least_squares": (
        lambda fake, real: (fake - 1).square().mean(),
        lambda real, fake: ((real - 1).square().mean() + fake.square().mean()) / 2,
    ),
    # Goodfellow et al. 2014 (arXiv:1406.2661), the generator's side not saturating.
    "vanilla": (
        lambda fake, real: F.softplus(-fake).mean(),
        lambda real, fake: (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2,
    ),
    # Miyato et al. 2018 (arXiv:1802.05957), eq. 16 and 17.
    "hinge": (
        lambda fake, real: -fake.mean(),
        lambda real, fake: (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2,
    ),
    # Jolicoeur-Martineau 2018 (arXiv:1807.00734), the average game of ESRGAN.
    "relativistic": (
        lambda fake, real: _relativistic(fake, real),
        lambda real, fake: _relativistic(real, fake),
    ),
}


def _relativistic(better: Tensor, worse: Tensor) -> Tensor:
    """Each of ``better`` is to beat the average of ``worse``, and the reverse."""
    wins, losses = better - worse.mean(), worse - better.mean()
    return (F.softplus(-wins).mean() + F.softplus(losses).mean()) / 2


def fool(
    critic: nn.Module, fake: Tensor, real: Tensor | None = None, kind: str = "least_squares"
) -> Tensor:
    """How far ``critic`` is from taking ``fake`` for real; see :class:`Fool`."""
    game = _game(kind)[0]
    if kind != "relativistic":
        logits = at_least_float32(critic(fake))
        return game(logits, logits)
    if real is None:
        raise UserError("Argument `real` must be given for `kind` 'relativistic', but got None.")
    real_logits, fake_logits = _logits(critic, real, fake)
    return game(fake_logits, real_logits)


def judge(critic: nn.Module, real: Tensor, fake: Tensor, kind: str = "least_squares") -> Tensor:
    """How far ``critic`` is from telling ``real`` from ``fake``; see :class:`Judge`."""
    game = _game(kind)[1]
    return game(*_logits(critic, real, fake))


def r1(critic: nn.Module, real: Tensor) -> Tensor:
    """Half of the mean squared norm of the critic's gradient at ``real``; see :class:`R1`."""
    leaf = at_least_float32(real.detach()).clone().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(leaf).sum(), leaf, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean() / 2


class Fool(nn.Module):
    """The generator's side: small where the critic takes the fake for real.

    With D the logits, of any shape, and means over all of them:

    - least_squares: mean (D(fake) - 1)^2
    - vanilla: mean softplus(-D(fake))
    - hinge: -mean D(fake)
    - relativistic: (mean softplus(mean D(real) - D(fake)) + mean softplus(D(real) - mean D(fake)))
      / 2

    Gradient reaches ``fake`` through a frozen critic as through any other.

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
    """The critic's side: small where it tells real from fake, the mean of both halves.

    With D the logits, of any shape, and means over all of them:

    - least_squares: (mean (D(real) - 1)^2 + mean D(fake)^2) / 2
    - vanilla: (mean softplus(-D(real)) + mean softplus(D(fake))) / 2
    - hinge: (mean relu(1 - D(real)) + mean relu(1 + D(fake))) / 2
    - relativistic: (mean softplus(mean D(fake) - D(real)) + mean softplus(D(fake) - mean D(real)))
      / 2

    Nothing is detached: images that are to be constants come as constants. Images of one size go
    through the critic together, which is quicker; those of two sizes, or for a critic that
    normalises over the batch (where the fake would change the logits of the real), one after the
    other.

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


class R1(nn.Module):
    """Gradient penalty at real images: E |grad D(real)|^2 / 2.

    Mescheder et al. 2018 (arXiv:1801.04406), eq. 9. D is the sum of an image's logits, the norm is
    over its pixels, the mean over the batch: a map of more logits is penalised more. gamma is the
    term's weight.
    """

    def forward(self, critic: nn.Module, real: Tensor) -> Tensor:
        """A scalar, differentiable in the critic; ``real`` (B, C, H, W) may be a constant."""
        return r1(critic, real)


def _game(kind: str) -> Game:
    if kind not in GAMES:
        raise unknown("Argument `kind`", kind, GAMES)
    return GAMES[kind]


def _logits(critic: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The logits of both, in float32 at least."""
    apart = any(isinstance(module, _BatchNorm) for module in critic.modules())
    if apart or real.shape[1:] != fake.shape[1:]:
        return at_least_float32(critic(real)), at_least_float32(critic(fake))
    together = at_least_float32(critic(torch.cat([real, fake])))
    return together[: len(real)], together[len(real) :]
