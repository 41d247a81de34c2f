"""Colour fringes: channels of a photo that are displaced against each other, or magnified."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

ASPECT = 4 / 3  # of the photos whose places :func:`places` draws from
PLASTIC = 1.324717957244746  # x^3 = x + 1; its powers spread points evenly (Roberts 2018)


@dataclass(frozen=True)
class Fringes:
    """How each channel's picture lies beside that of the middle one, in LR pixels.

    Films, scanners and sensors of several bands displace whole channels; lenses magnify them
    differently (lateral chromatic aberration), which displaces them along the radius.

    Attributes:
        moved: of each channel, right and down; empty without fringes.
        magnified: of each channel, how far it is moved outwards in the corners of a photo.
    """

    moved: tuple[tuple[float, float], ...] = ()
    magnified: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return any(x or y for x, y in self.moved) or any(self.magnified)

    def __str__(self) -> str:
        """In words, for a sentence; empty without fringes."""
        names = ("red", "green", "blue") if len(self.moved) == 3 else ()
        said = []
        for channel, ((x, y), radial) in enumerate(zip(self.moved, self.magnified, strict=True)):
            name = names[channel] if names else f"channel {channel + 1}"
            if x or y:
                said.append(f"{name} lies {x:+.2f} px right and {y:+.2f} px down")
            if radial:
                said.append(f"{name} lies {radial:+.2f} px outwards in the corners")
        return ", ".join(said)

    def at(self, places: Tensor) -> Tensor:
        """Displacement of each channel, (N, C, 2), x then y, in LR pixels.

        Args:
            places: (N, 2) in a photo, x then y, from its centre; corners are at a distance of 1.
        """
        moved, magnified = places.new_tensor(self.moved), places.new_tensor(self.magnified)
        return moved + magnified[:, None] * places[:, None]


NONE = Fringes()


def places(count: int) -> Tensor:
    """``count`` points (N, 2) spread evenly over a photo, as :meth:`Fringes.at` takes them."""
    steps = torch.tensor([PLASTIC**-1, PLASTIC**-2], dtype=torch.float64)
    unit = (0.5 + torch.arange(count, dtype=torch.float64)[:, None] * steps) % 1
    half = torch.tensor([ASPECT, 1.0], dtype=torch.float64) / math.hypot(ASPECT, 1.0)
    return ((2 * unit - 1) * half).float()
