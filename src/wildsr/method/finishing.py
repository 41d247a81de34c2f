"""A last stage for any method that trains ``upscale``: a second, sharper upscaler beside it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from wildsr.error import UserError
from wildsr.method.dihedral import lay, lay_back
from wildsr.method.part import Method, Value, draw, given, network, optional, tensor

FAITHFUL, FINISHED = "upscale", "finished"  # the two networks
STAGE = "finish"
WAYS = range(1, 8)  # of laying an image down, but for leaving it as it is
DRAWS = 3  # of a degradation whose noise is to be told


class Finishing(Method):
    """What a method gains: ``finished``, an upscaler of its own, and the tensors that it makes.

    Each is what the method itself would compute with ``finished`` in the place of ``upscale``, on
    the same generated LR.
    """

    other_hr = given("(B, 3, sH, sW) sharp crop, drawn apart from hr")
    finished = network("LR to HR, as `upscale`, which it starts from")
    critic_finish = network("HR to a map of logits: a sharp photo?")

    hr: Tensor
    real_lr: Tensor
    fake_lr: Tensor
    upscaled_lr: Tensor
    sr: Tensor
    sr_average: Tensor
    restored: Tensor

    @optional
    def finished_sr(self) -> Tensor:
        """(B, 3, sH, sW) the generated LR, upscaled."""
        with self.instead(FAITHFUL, FINISHED):
            return self.sr

    @optional
    def finished_average(self) -> Tensor:
        """(B, 3, sH, sW) the same by the average of ``finished``; a constant."""
        with self.instead(FAITHFUL, FINISHED):
            return self.sr_average

    @optional
    def finished_turned(self) -> Tensor:
        """(B, 3, sH, sW) the same LR, flipped or turned, upscaled, and laid back.

        One of the seven other ways to lay an image down, drawn for each iteration. An upscaler that
        invents nothing of its own makes ``finished_sr`` of it; a pattern that hangs on the
        direction in which rows run, or on the place within an LR pixel, differs.
        """
        way = 1 + int(torch.randint(len(WAYS), ()))
        return lay_back(self.finished(lay(self.upscaled_lr, way)), way)

    @optional
    def finished_restored(self) -> Tensor:
        """(B, 3, sH, sW) the real photo, upscaled."""
        with self.instead(FAITHFUL, FINISHED):
            return self.restored

    @optional
    def finished_mixed(self) -> Tensor:
        """(B, 3, sH, sW) for a critic: the first half of ``finished_sr``, then of the real photos.

        One pass of the critic sees both.
        """
        half = len(self.real_lr) // 2
        real = {**self.batch, "real_lr": self.real_lr[half:]}
        if not half:
            return self.finished_sr
        shown = type(self)(self.networks, real, self.scale, self.averages)
        with shown.instead(FAITHFUL, FINISHED), shown.sources() as sources:
            restored = shown.restored
        for name in sources:
            self.use_network(name)
        return torch.cat([self.finished_sr[:half], restored])

    @optional
    def finished_truth(self) -> Tensor:
        """(B, 3, sH, sW) what ``finished_sr`` is to show."""
        sharp: Tensor = getattr(self, "sharp", self.hr)
        return sharp

    @optional
    def finished_again(self) -> Tensor:
        """(B, 3, H, W) ``finished_sr`` degraded as ``hr`` was, with the same random numbers.

        Against ``fake_lr`` it shows what was invented; the noise is the same in both. A degradation
        that draws its random numbers inside has no such twin.
        """
        return self._degraded({name: getattr(self, name) for name in self.parts[draw]})

    @optional
    def finished_draws(self) -> Tensor:
        """(n, B, 3, H, W) ``finished_sr`` degraded, each time with random numbers of its own."""
        return torch.stack([self._degraded({}) for _ in range(DRAWS)])

    def _degraded(self, draws: Mapping[str, Value]) -> Tensor:
        """``finished_sr`` as generated LR."""
        again = type(self)(self.networks, {"hr": self.finished_sr}, self.scale)
        again.kept = {name: (value, frozenset()) for name, value in draws.items()}
        with again.sources() as sources:
            made = again.fake_lr
        for name in sources:
            self.use_network(name)
        return made


_MADE: dict[str, type[Method]] = {}


def finishing(method: type[Method]) -> type[Method]:
    """The method with a finish; for one method always the same class.

    Raises:
        UserError: it has no ``upscale`` that it trains on generated LR.
    """
    if FAITHFUL not in method.parts[network] or "sr" not in method.parts[tensor]:
        raise UserError(
            f"`finish` needs a method that trains a network `{FAITHFUL}` on generated LR, which "
            f"{method.__name__} does not; choose finish=none."
        )
    named = f"{method.__module__}.{method.__qualname__}"
    if not (named in _MADE and _MADE[named].__mro__[2] is method):
        body = {"__doc__": method.__doc__, "__module__": method.__module__}
        _MADE[named] = type(method.__name__, (Finishing, method), body)
    return _MADE[named]
