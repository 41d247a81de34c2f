"""The finish stage: train a second, sharper upscaler beside the first, for any method."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from wildsr.error import UserError
from wildsr.method.dihedral import turn, turn_back
from wildsr.method.part import Method, Value, draw, given, network, optional, tensor

FAITHFUL, FINISHED = "upscale", "finished"  # names of the two networks
STAGE = "finish"
WAYS = range(1, 8)  # the flips and rotations of `dihedral` without the identity
DRAWS = 3  # random degradations of one image, from which the noise is estimated


class Finishing(Method):
    """Mixin of the finish stage: a network ``finished`` and the tensors its losses need.

    ``finished`` starts as a copy of ``upscale``. Each tensor is what the method itself would
    compute with ``finished`` in place of ``upscale``, on the same generated LR.
    """

    other_hr = given("(B, 3, sH, sW) sharp crop, drawn apart from hr")
    finished = network("LR to HR, as `upscale`, which it starts from")
    critic_finish = network("HR to a map of logits: a sharp photo?")

    hr: Tensor
    real_lr: Tensor
    fake_lr: Tensor
    redrawn_lr: Tensor
    paired: Callable[[Tensor], Tensor]
    sr: Tensor
    sr_average: Tensor
    restored: Tensor

    @optional
    def finished_sr(self) -> Tensor:
        """(B, 3, sH, sW) the generated LR, upscaled by ``finished``."""
        with self.instead(FAITHFUL, FINISHED):
            return self.sr

    @optional
    def finished_average(self) -> Tensor:
        """(B, 3, sH, sW) the generated LR, upscaled by the moving average; no gradient."""
        with self.instead(FAITHFUL, FINISHED):
            return self.sr_average

    @optional
    def finished_turned(self) -> Tensor:
        """(B, 3, sH, sW) another photo of the same, flipped or rotated, upscaled, flipped back.

        The generated LR with new noise, where the method can draw that alone (``redrawn_lr``), in
        one of the seven flips and rotations, drawn for each iteration. An equivariant upscaler that
        takes no noise for detail gives ``finished_sr`` again; patterns that depend on the direction
        of the rows or on the position within an LR pixel, and amplified noise, give a difference.
        """
        way = 1 + int(torch.randint(len(WAYS), ()))
        seen = self.paired(self.redrawn_lr)
        return turn_back(self.finished(turn(seen, way)), way)

    @optional
    def finished_restored(self) -> Tensor:
        """(B, 3, sH, sW) the real LR photo, upscaled by ``finished``."""
        with self.instead(FAITHFUL, FINISHED):
            return self.restored

    @optional
    def finished_mixed(self) -> Tensor:
        """(B, 3, sH, sW) input of the critic: half generated LR, half real photos, both upscaled.

        The first half of the batch is from ``finished_sr``, so that one pass of the critic sees
        both.
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
        """(B, 3, sH, sW) the ground truth of ``finished_sr``."""
        sharp: Tensor = getattr(self, "sharp", self.hr)
        return sharp

    @optional
    def finished_again(self) -> Tensor:
        """(B, 3, H, W) ``finished_sr`` degraded like ``hr``, with the same random numbers.

        Compared with ``fake_lr`` it shows invented detail, since the noise in both is the same.
        That holds only for degradations whose random numbers are a ``draw`` of the method.
        """
        return self._degraded({name: getattr(self, name) for name in self.parts[draw]})

    @optional
    def finished_draws(self) -> Tensor:
        """(n, B, 3, H, W) ``finished_sr`` degraded n = 3 times, each with new random numbers."""
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
    """Add the finish stage to a method class; returns the same class for the same method each time.

    Raises:
        UserError: the method trains no ``upscale`` on generated LR.
    """
    there = FAITHFUL in method.parts[network] and "sr" in method.parts[tensor]
    if not there or not hasattr(method, "sr_average"):
        raise UserError(
            f"`finish` needs a method that trains a network `{FAITHFUL}` on generated LR, which "
            f"{method.__name__} does not; choose finish=none."
        )
    named = f"{method.__module__}.{method.__qualname__}"
    if not (named in _MADE and _MADE[named].__mro__[2] is method):
        body = {"__doc__": method.__doc__, "__module__": method.__module__}
        _MADE[named] = type(method.__name__, (Finishing, method), body)
    return _MADE[named]
