"""What a network may offer beside ``forward``: the questions that others may ask of it.

Each is a protocol that is checked at run time by the names of its methods, so that a network of
one's own takes part by having them, without a base class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from wildsr.degradation.flat import Flat, Photos


@runtime_checkable
class Physical(Protocol):
    """A degrader whose parameters have units."""

    def physical(self) -> dict[str, float]:
        """Each parameter by name: pixels of HR, degrees, 1/255."""
        ...


@runtime_checkable
class Settles(Protocol):
    """A network of few parameters that come to rest, so that a stage can end with them."""

    def settling(self) -> Tensor:
        """(N,) the parameters, each in units of the smallest change that matters."""
        ...


@runtime_checkable
class Worded(Protocol):
    """A degrader that describes itself in a sentence."""

    def sentence(self) -> str:
        """What it does, in words."""
        ...


@runtime_checkable
class Stated(Protocol):
    """A degrader that states its blur and its noise, which need not be sampled."""

    def kernel(self) -> Tensor:
        """(1, k, k), summing to 1."""
        ...

    def noise_std(self, brightness: Tensor) -> Tensor:
        """Standard deviation of the noise at each brightness, both in [0, 1] units; same shape."""
        ...


@runtime_checkable
class Sampled(Protocol):
    """A degrader that returns (LR, kernel, noise), whose kernels and noise are to be sampled."""

    def kernel(self, *args: Any) -> Tensor:
        """The kernels of a batch."""
        ...

    def draws(self, hr: Tensor) -> Any:
        """The random numbers of one forward pass of ``hr``."""
        ...


@runtime_checkable
class Draws(Protocol):
    """A network whose random numbers are drawn apart, so that recomputing can reuse them."""

    def draws(self, hr: Tensor) -> Any:
        """The random numbers of one forward pass of ``hr``."""
        ...


@runtime_checkable
class Harvests(Protocol):
    """A degradation that fills pools from the real photos before the first iteration."""

    def harvest(
        self, photos: Photos, generator: torch.Generator, estimate: Callable[..., Tensor]
    ) -> Flat:
        """Fill the pools; the flat squares that the noise came from."""
        ...


@runtime_checkable
class Levels(Protocol):
    """An upscaler that works in steps and can hand out each of them."""

    def levels(self, lr: Tensor) -> tuple[Tensor, ...]:
        """SR at each size, the smallest first."""
        ...


@runtime_checkable
class Layered(Protocol):
    """A critic that hands out what its layers see."""

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """The outputs of its layers, (B, C, ...) each."""
        ...
