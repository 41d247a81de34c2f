"""When learned parameters no longer move."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

EVERY = 5  # iterations between two readings


class Settling:
    """Watches parameters until they only tremble about a place.

    Two windows of equal length follow the run, one behind the other. The parameters have settled
    when the means of both windows differ in no parameter by more than 1: parameters come in units
    of what would be noticed, so that 1 is the smallest step that matters (see
    :class:`~wildsr.network.protocol.Settles`). Adversarial training never comes to a full rest;
    means over a window cancel its trembling, and one window must lie behind the other for a drift
    to show.

    Args:
        window: iterations of each of both windows.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.readings: deque[list[float]] = deque(maxlen=2 * max(window // EVERY, 1))

    def see(self, parameters: Tensor, iteration: int) -> bool:
        """Take a reading if it is time for one; whether the parameters have settled."""
        if iteration % EVERY == 0:
            self.readings.append(parameters.detach().float().cpu().tolist())
        if len(self.readings) < (self.readings.maxlen or 0):
            return False
        half = len(self.readings) // 2
        before, now = list(self.readings)[:half], list(self.readings)[half:]
        return all(abs(a - b) <= 1 for a, b in zip(_means(before), _means(now), strict=True))

    def forget(self) -> None:
        """Begin anew, for another stage."""
        self.readings.clear()

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {"readings": [list(reading) for reading in self.readings]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.readings.clear()
        self.readings.extend(list(reading) for reading in state["readings"])


def _means(rows: Sequence[Sequence[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]
