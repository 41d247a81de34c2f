"""Learning-rate factors as functions of the iteration alone, so that resuming needs no state."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wildsr.error import UserError


class Constant:
    """Factor 1, after a linear rise over the first ``warmup`` iterations."""

    def __init__(self, warmup: int = 0) -> None:
        _check("warmup", [warmup], 0)
        self.warmup = warmup

    def __call__(self, iteration: int) -> float:
        """The factor at ``iteration``, counted from 0."""
        return min(1.0, (iteration + 1) / self.warmup) if self.warmup else 1.0


class MultiStep:
    """Multiply by ``gamma`` at each of ``milestones`` (iterations)."""

    def __init__(self, milestones: Sequence[int], gamma: float = 0.5) -> None:
        _check("milestones", milestones, 0)
        self.milestones, self.gamma = sorted(milestones), gamma

    def __call__(self, iteration: int) -> float:
        """The factor at ``iteration``, counted from 0."""
        return self.gamma ** sum(iteration >= milestone for milestone in self.milestones)


class Inverse:
    """``1 / (1 + iteration / half)``: shrinking steps of any total length.

    The first series of step sizes that stochastic approximation was proven with (Robbins & Monro
    1951).
    """

    def __init__(self, half: int) -> None:
        _check("half", [half], 1)
        self.half = half

    def __call__(self, iteration: int) -> float:
        """The factor at ``iteration``, counted from 0; 1/2 at ``half``."""
        return 1 / (1 + iteration / self.half)


class Cosine:
    """Fall from 1 to ``final`` over ``until`` iterations (Loshchilov & Hutter 2017, eq. 5)."""

    def __init__(self, until: int, final: float = 0.0) -> None:
        _check("until", [until], 1)
        self.until, self.final = until, final

    def __call__(self, iteration: int) -> float:
        """The factor at ``iteration``, counted from 0."""
        progress = min(1.0, iteration / self.until)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))


class Linear:
    """1 until iteration ``start``, then a straight line to 0 at ``until``, where it stays."""

    def __init__(self, start: int, until: int) -> None:
        _check("start", [start], 0)
        _check("until", [until], start + 1)
        self.start, self.until = start, until

    def __call__(self, iteration: int) -> float:
        """The factor at ``iteration``, counted from 0."""
        left = (self.until - iteration) / (self.until - self.start)
        return min(1.0, max(0.0, left))


def _check(argument: str, values: Sequence[int], least: int) -> None:
    for value in values:
        if not (isinstance(value, int) and value >= least):
            raise UserError(
                f"Argument `{argument}` must be in iterations, {least} or more, but got {value!r}."
            )
