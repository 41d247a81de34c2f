"""Protocols: optional methods of networks, beside ``forward``, that other rooms make use of.

Each is checked at run time by the names of its methods, so that a network of your own takes part
by having them, without a base class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from wildsr.degradation.flat import Flat, Photos


@runtime_checkable
class Physical(Protocol):
    """A degrader whose parameters have physical units."""

    def physical(self) -> dict[str, float]:
        """The parameters by name, in HR pixels, degrees or 1/255."""
        ...


@runtime_checkable
class Settles(Protocol):
    """A network whose few parameters converge, so that a stage can end early."""

    def settling(self) -> Tensor:
        """The parameters (N,), each divided by the smallest change that matters."""
        ...


@runtime_checkable
class Worded(Protocol):
    """A degrader that describes itself in words."""

    def sentence(self) -> str:
        """Describe the degradation in a sentence."""
        ...


@runtime_checkable
class Stated(Protocol):
    """A degrader that knows its blur kernel and its noise level in closed form."""

    def kernel(self) -> Tensor:
        """The blur kernel (1, k, k) in HR pixels, summing to 1."""
        ...

    def noise_std(self, brightness: Tensor) -> Tensor:
        """Standard deviation of the noise at each brightness, both in [0, 1]; any shape, kept."""
        ...


@runtime_checkable
class Sampled(Protocol):
    """A degrader whose ``forward`` returns (LR, kernel, noise); reports sample its kernels."""

    def kernel(self, *args: Any) -> Tensor:
        """Generate the blur kernels of a batch, (B, k, k)."""
        ...

    def draws(self, hr: Tensor) -> Any:
        """Draw the random numbers of one forward pass of ``hr`` (B, 3, H, W)."""
        ...


@runtime_checkable
class Draws(Protocol):
    """A network whose random numbers are drawn separately, so that a pass can be repeated."""

    def draws(self, hr: Tensor) -> Any:
        """Draw the random numbers of one forward pass of ``hr`` (B, 3, H, W)."""
        ...


@runtime_checkable
class Redraws(Draws, Protocol):
    """A degrader that can take a photo once more with the same cameras: only noise is new."""

    def redraw(self, hr: Tensor, draws: Any) -> Any:
        """Draw anew the noise by which two photos of ``hr`` differ; ``draws`` itself if nothing."""
        ...


@runtime_checkable
class Harvests(Protocol):
    """A degrader whose pools of kernels and noise are filled from the real photos in advance."""

    def harvest(
        self, photos: Photos, generator: torch.Generator, estimate: Callable[..., Tensor]
    ) -> Flat:
        """Fill the pools; returns the flat patches that the noise was taken from.

        Args:
            photos: real LR, uint8 (H, W, 3).
            generator: of the random numbers.
            estimate: estimates the blur kernel (k, k) of one photo; called as
                ``estimate(photo, iterations, crop, features=, seed=)``.
        """
        ...


@runtime_checkable
class Levels(Protocol):
    """A progressive upscaler, which also produces intermediate sizes."""

    def levels(self, lr: Tensor) -> tuple[Tensor, ...]:
        """Upscale ``lr`` (B, 3, H, W) to each size, (B, 3, 2H, 2W), ..., the smallest first."""
        ...


@runtime_checkable
class Layered(Protocol):
    """A critic that returns the outputs of its layers, for feature matching."""

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """The outputs of its layers for ``image`` (B, C, H, W), (B, channels, ...) each."""
        ...
