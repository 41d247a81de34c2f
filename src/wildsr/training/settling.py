"""Detect when learned parameters have converged."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

EVERY = 5  # iterations between two readings


class Settling:
    """Watches parameters until they have converged.

    Two windows of equal length, one behind the other, follow the training. The parameters have
    settled when the means of both windows differ in no parameter by more than 1, in units of the
    smallest change that matters (see :class:`~wildsr.network.protocol.Settles`). Adversarial
    training keeps oscillating: means over a window cancel the oscillation, and two successive
    windows reveal a drift.

    Args:
        window: iterations of each window.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.readings: deque[list[float]] = deque(maxlen=2 * max(window // EVERY, 1))

    def see(self, parameters: Tensor, iteration: int) -> bool:
        """Take a reading of ``parameters`` (N,) if one is due; return whether they have settled."""
        if iteration % EVERY == 0:
            self.readings.append(parameters.detach().float().cpu().tolist())
        if len(self.readings) < (self.readings.maxlen or 0):
            return False
        half = len(self.readings) // 2
        before, now = list(self.readings)[:half], list(self.readings)[half:]
        return all(abs(a - b) <= 1 for a, b in zip(_means(before), _means(now), strict=True))

    def forget(self) -> None:
        """Start again, for another stage."""
        self.readings.clear()

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {"readings": [list(reading) for reading in self.readings]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state` returned."""
        self.readings.clear()
        self.readings.extend(list(reading) for reading in state["readings"])


def _means(rows: Sequence[Sequence[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]
