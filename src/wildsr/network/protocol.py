"""Protocols of what a network may offer beside ``forward``.

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
    """A network whose few parameters converge, so that a stage can end when they have."""

    def settling(self) -> Tensor:
        """The parameters (N,), each in units of the smallest change that matters."""
        ...


@runtime_checkable
class Worded(Protocol):
    """A degrader that describes itself in words."""

    def sentence(self) -> str:
        """Describe the degradation in a sentence."""
        ...


@runtime_checkable
class Stated(Protocol):
    """A degrader that knows its blur kernel and its noise, without sampling."""

    def kernel(self) -> Tensor:
        """(1, k, k), summing to 1."""
        ...

    def noise_std(self, brightness: Tensor) -> Tensor:
        """Standard deviation of the noise at each brightness, both in [0, 1] units; same shape."""
        ...


@runtime_checkable
class Sampled(Protocol):
    """A degrader that returns (LR, kernel, noise), from which its kernels and noise are sampled."""

    def kernel(self, *args: Any) -> Tensor:
        """Generate the kernels of a batch."""
        ...

    def draws(self, hr: Tensor) -> Any:
        """Draw the random numbers of one forward pass of ``hr``."""
        ...


@runtime_checkable
class Draws(Protocol):
    """A network whose random numbers are drawn apart, so that a pass can be repeated with them."""

    def draws(self, hr: Tensor) -> Any:
        """Draw the random numbers of one forward pass of ``hr``."""
        ...


@runtime_checkable
class Harvests(Protocol):
    """A degradation whose pools are filled from the real photos before the first iteration."""

    def harvest(
        self, photos: Photos, generator: torch.Generator, estimate: Callable[..., Tensor]
    ) -> Flat:
        """Fill the pools; returns the flat squares that the noise came from."""
        ...


@runtime_checkable
class Levels(Protocol):
    """An upscaler that produces intermediate sizes."""

    def levels(self, lr: Tensor) -> tuple[Tensor, ...]:
        """Upscale to each size, the smallest first."""
        ...


@runtime_checkable
class Layered(Protocol):
    """A critic that returns the outputs of its layers."""

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """The outputs of its layers, (B, C, ...) each."""
        ...
