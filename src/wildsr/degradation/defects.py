"""Defects of sensors: single pixels of wrong values (impulses), and stripes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Draws = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Defects:
    """What single pixels, rows and columns of a sensor do wrong, in [0, 1].

    Attributes:
        impulses: share of the values that are replaced (dead and hot pixels, salt and pepper).
        together: share of these in whose pixel all channels are replaced at once.
        values: that replace them, drawn with equal probability.
        rows: standard deviation of an offset that each row has of its own, in all channels.
        columns: the same for columns.
    """

    impulses: float = 0.0
    together: float = 1.0
    values: tuple[float, ...] = (0.0, 1.0)
    rows: float = 0.0
    columns: float = 0.0

    def __bool__(self) -> bool:
        return max(self.impulses, self.rows, self.columns) > 0

    def __str__(self) -> str:
        """In words, for a sentence; empty without defects."""
        said = []
        if self.impulses > 0:
            said.append(f"{self.impulses:.1%} of the values are impulses")
        for name, size in (("row", self.rows), ("column", self.columns)):
            if size > 0:
                said.append(f"each {name} is {255 * size:.1f}/255 lighter or darker")
        return ", ".join(said)


SOUND = Defects()


def draw_defects(image: Tensor) -> Draws:
    """Draw the random numbers of :func:`spoiled` for ``image`` (B, C, H, W).

    Which values are hit, and which value they take, both uniform (B, C + 1, H, W), the last of them
    for all channels; standard normal numbers for rows (B, 1, H, 1) and columns (B, 1, 1, W).
    """
    batch, channels, height, width = image.shape
    every = image.new_empty(batch, channels + 1, height, width)
    return (
        torch.rand_like(every),
        torch.rand_like(every),
        torch.randn_like(every[:, :1, :, :1]),
        torch.randn_like(every[:, :1, :1]),
    )


def spoiled(image: Tensor, defects: Defects, draws: Draws) -> Tensor:
    """Add stripes and impulses to ``image`` (B, C, H, W); values that are hit have no gradient."""
    hits, chosen, rows, columns = draws
    made = image + defects.rows * rows + defects.columns * columns
    if defects.impulses <= 0:
        return made
    values = image.new_tensor(defects.values)
    taken = values[(chosen * len(values)).long().clamp(max=len(values) - 1)]
    alone = hits[:, :-1] < defects.impulses * (1 - defects.together)
    made = torch.where(alone, taken[:, :-1], made)
    return torch.where(hits[:, -1:] < defects.impulses * defects.together, taken[:, -1:], made)
