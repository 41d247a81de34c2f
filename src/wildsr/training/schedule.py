"""Learning-rate factors as functions of the iteration only, so that resuming needs no state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from wildsr.error import UserError


@runtime_checkable
class Ending(Protocol):
    """A schedule that is made for a certain number of iterations."""

    def end(self) -> int:
        """The number of iterations it is made for."""
        ...


class Constant:
    """Factor 1, after a linear warm-up over the first ``warmup`` iterations.

    Raises:
        UserError: ``warmup`` is not an integer of at least 0.
    """

    def __init__(self, warmup: int = 0) -> None:
        _check("warmup", [warmup], 0)
        self.warmup = warmup

    def __call__(self, iteration: int) -> float:
        """The factor at ``iteration``, counted from 0."""
        return min(1.0, (iteration + 1) / self.warmup) if self.warmup else 1.0


class MultiStep:
    """Multiply by ``gamma`` at each of ``milestones`` (iterations).

    Raises:
        UserError: a milestone that is not an integer of at least 0, a factor below 0.
    """

    def __init__(self, milestones: Sequence[int], gamma: float = 0.5) -> None:
        _check_factor("gamma", gamma)
        _check("milestones", milestones, 0)
        self.milestones, self.gamma = sorted(milestones), gamma

    def __call__(self, iteration: int) -> float:
        """The factor at ``iteration``, counted from 0."""
        return self.gamma ** sum(iteration >= milestone for milestone in self.milestones)


class Stairs:
    """Multiply by ``gamma`` at each of ``at``, given as shares of ``until`` iterations.

    Raises:
        UserError: ``until`` is not a positive integer, a share is not from 0 to 1, or a factor is
            below 0.
    """

    def __init__(self, until: int, at: Sequence[float], gamma: float = 0.5) -> None:
        _check_factor("gamma", gamma)
        _check("until", [until], 1)
        for share in at:
            _check_share("at", share)
        self.until, self.at, self.gamma = until, sorted(at), gamma

    def end(self) -> int:
        """The number of iterations it is made for."""
        return self.until

    def __call__(self, iteration: int) -> float:
        """The factor at ``iteration``, counted from 0."""
        return self.gamma ** sum(iteration >= share * self.until for share in self.at)


class Decline:
    """1 for a share ``hold`` of ``until`` iterations, then linear to 0 (CycleGAN, Zhu et al. 2017).

    Raises:
        UserError: ``until`` is not a positive integer, or ``hold`` is not from 0 to 1.
    """

    def __init__(self, until: int, hold: float = 0.5) -> None:
        _check("until", [until], 1)
        _check_share("hold", hold)
        self.until, self.hold = until, hold

    def end(self) -> int:
        """The number of iterations it is made for."""
        return self.until

    def __call__(self, iteration: int) -> float:
        """The factor at ``iteration``, counted from 0."""
        left = 1 - iteration / self.until
        return max(0.0, min(1.0, left / (1 - self.hold))) if self.hold < 1 else float(left > 0)


class Inverse:
    """``1 / (1 + iteration / half)``: decreasing step sizes for any number of iterations.

    Step sizes of this form are those for which stochastic approximation was first proven to
    converge (Robbins & Monro 1951).

    Raises:
        UserError: ``half`` is not a positive integer.
    """

    def __init__(self, half: int) -> None:
        _check("half", [half], 1)
        self.half = half

    def __call__(self, iteration: int) -> float:
        """The factor at ``iteration``, counted from 0; 1/2 at ``half``."""
        return 1 / (1 + iteration / self.half)


class Cosine:
    """Cosine annealing from 1 to ``final`` over ``until`` iterations.

    Loshchilov & Hutter 2017, eq. 5.

    Raises:
        UserError: ``until`` is not a positive integer, a factor is below 0.
    """

    def __init__(self, until: int, final: float = 0.0) -> None:
        _check_factor("final", final)
        _check("until", [until], 1)
        self.until, self.final = until, final

    def end(self) -> int:
        """The number of iterations it is made for."""
        return self.until

    def __call__(self, iteration: int) -> float:
        """The factor at ``iteration``, counted from 0."""
        progress = min(1.0, iteration / self.until)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))


def _check(argument: str, values: Sequence[int], least: int) -> None:
    for value in values:
        if not (isinstance(value, int) and value >= least):
            raise UserError(
                f"Argument `{argument}` must be in iterations, {least} or more, but got {value!r}."
            )


def _check_factor(argument: str, value: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and 0 <= value < math.inf):
        raise UserError(f"Argument `{argument}` must be a factor of 0 or more, but got {value!r}.")


def _check_share(argument: str, value: float) -> None:
    if not (isinstance(value, int | float) and 0 <= value <= 1):
        raise UserError(f"Argument `{argument}` must be a share from 0 to 1, but got {value!r}.")
