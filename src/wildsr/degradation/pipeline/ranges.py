"""Ranges from which the steps of a pipeline draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import TypeGuard

import numpy as np

from wildsr.error import UserError

Range = Sequence[float]


def uniform(draw: np.random.Generator, bounds: Range) -> float:
    """Draw a number between two bounds."""
    return float(draw.uniform(bounds[0], bounds[1]))


def kernel_sizes(sizes: Sequence[int]) -> list[int]:
    """Check the smallest and the largest side of a kernel.

    Raises:
        UserError: something other than two odd numbers, the smaller first.
    """
    two = isinstance(sizes, Sequence | np.ndarray) and len(sizes) == 2
    if not two or any(not is_number(size) or size % 2 != 1 or size < 1 for size in sizes):
        two = False
    if not two or sizes[0] > sizes[1]:
        raise UserError(
            f"Argument `sizes` must be two odd numbers, the smaller first, but got {sizes!r}."
        )
    return [int(size) for size in sizes]


def ordered(
    *, least: float = -math.inf, above: float = -math.inf, **ranges: Range
) -> dict[str, tuple[float, float]]:
    """Check that ranges are two numbers in order; returns each as (smallest, largest).

    Args:
        least: the smallest number that may be in one.
        above: a number that all of them must be above.
        ranges: by the names of the arguments.

    Raises:
        UserError: something other than two numbers, the larger one first, or a smaller one than may
            be.
    """
    found = {}
    for name, bounds in ranges.items():
        two = (
            isinstance(bounds, Sequence | np.ndarray)
            and len(bounds) == 2
            and all(map(is_number, bounds))
        )
        if not two or not bounds[0] <= bounds[1]:
            raise UserError(
                f"Argument `{name}` must be two numbers, the smaller first, but got {bounds!r}."
            )
        if bounds[0] < least:
            raise UserError(
                f"Argument `{name}` must be two numbers from {least:g} on, but got {bounds!r}."
            )
        if bounds[0] <= above > -math.inf:
            raise UserError(
                f"Argument `{name}` must be two numbers above {above:g}, but got {bounds!r}."
            )
        found[name] = (float(bounds[0]), float(bounds[1]))
    return found


def share(name: str, value: object) -> float:
    """Check a probability.

    Raises:
        UserError: something other than a number in [0, 1].
    """
    if not is_number(value) or not 0 <= value <= 1:
        raise UserError(f"Argument `{name}` must be in [0, 1], but got {value!r}.")
    return float(value)


def positive(name: str, value: object) -> float:
    """Check a number above 0.

    Raises:
        UserError: something else.
    """
    if not is_number(value) or not value > 0:
        raise UserError(f"Argument `{name}` must be above 0, but got {value!r}.")
    return float(value)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
