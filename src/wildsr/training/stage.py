"""The stages of a method: which part of a run an iteration belongs to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

from wildsr.error import UserError


class Stages:
    """Consecutive parts of a run, as shares of its iterations.

    The stage is a function of the iteration alone, so that a resumed run needs to know no more than
    where each began: more iterations than were planned prolong the last one.

    Args:
        shares: name -> share, in their order; only the ratios matter. Empty for a method without.
        iterations: of the run.

    Raises:
        UserError: a share that is not a positive number; fewer iterations than stages.
    """

    def __init__(self, shares: Mapping[str, float], iterations: int) -> None:
        for name, share in shares.items():
            good = isinstance(share, int | float) and 0 < share < math.inf
            if not good or isinstance(share, bool):
                raise UserError(
                    f"`method.stages.{name}` must be a positive share of the iterations, "
                    f"but got {share!r}."
                )
        if iterations < len(shares):
            raise UserError(
                f"`iterations` must be at least {len(shares)}, one for each of the stages "
                f"{list(shares)}, but got {iterations!r}."
            )
        ends = list(itertools.accumulate(shares.values()))
        count = len(ends)
        # Each has one iteration at least, however small its share is.
        rounded = [round(iterations * end / ends[-1]) for end in ends]
        starts = [0, *rounded[:-1]] if ends else []
        for index in range(1, count):
            starts[index] = max(starts[index], starts[index - 1] + 1)
        for index in reversed(range(count)):
            starts[index] = min(starts[index], iterations - (count - index))
        self.starts = dict(zip(shares, starts, strict=True))

    def at(self, iteration: int) -> str | None:
        """The stage of an iteration, counted from 0; None for a method without stages."""
        begun = [name for name, start in self.starts.items() if start <= iteration]
        return begun[-1] if begun else None

    def restore(self, starts: Mapping[str, int]) -> None:
        """Take back the ``starts`` of the run that goes on.

        Raises:
            UserError: if they are of other stages.
        """
        if list(starts) != list(self.starts):
            raise UserError(
                f"The checkpoint's stages are {list(starts)}, but `method.stages` has "
                f"{list(self.starts)}."
            )
        self.starts = dict(starts)
