"""Ranges from which the steps of a pipeline draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wildsr.error import UserError

Range = Sequence[float]


def uniform(draw: np.random.Generator, bounds: Range) -> float:
    """Draw a number between two bounds."""
    return float(draw.uniform(bounds[0], bounds[1]))


def ordered(**ranges: Range) -> dict[str, tuple[float, float]]:
    """Check that ranges are two numbers in order; returns each as (smallest, largest).

    Raises:
        UserError: something other than two numbers, or the larger one first.
    """
    found = {}
    for name, bounds in ranges.items():
        if len(bounds) != 2 or not bounds[0] <= bounds[1]:
            raise UserError(
                f"Argument `{name}` must be two numbers, the smaller first, but got {bounds!r}."
            )
        found[name] = (float(bounds[0]), float(bounds[1]))
    return found
