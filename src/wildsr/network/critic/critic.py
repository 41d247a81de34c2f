"""The base class of critics: a front-end, stages, logits at the end."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from wildsr.network.front.front import Chain


class Critic(nn.Module):
    """Base class of critics made of a front-end and stages; the last stage gives the logits.

    Feature matching compares the outputs of the stages before it.

    Args:
        front: what the image passes before the first stage: a front-end, several by name in their
            order, or None.

    Raises:
        UserError: ``front`` is not made of front-ends.
    """

    def __init__(self, front: nn.Module | Mapping[str, nn.Module] | None = None) -> None:
        super().__init__()
        self.front = Chain(front)

    def stages(self, x: Tensor) -> list[Tensor]:
        """The activations after each stage, each (B, channels, ...); the last are the logits.

        Args:
            x: the output of the front-end, (B, C, H, W).
        """
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor:
        """Judge ``image`` (B, C, H, W) in [0, 1]: logits (B, 1, ...)."""
        return self.stages(self.front(image))[-1]

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """The outputs of all stages but the last for ``image`` (B, C, H, W): (B, ...) each."""
        return tuple(self.stages(self.front(image))[:-1])
