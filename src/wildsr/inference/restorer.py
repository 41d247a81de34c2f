"""A method as one network: real LR in, SR out."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from wildsr.inference.tile import channels_of
from wildsr.method.part import Method


class Restorer(nn.Module):
    """Computes a method's ``restored`` with given networks.

    Args:
        method: the method's class.
        networks: at least those that ``restored`` depends on.
        scale: HR size / LR size.
    """

    def __init__(self, method: type[Method], networks: Mapping[str, nn.Module], scale: int) -> None:
        super().__init__()
        self.method, self.scale = method, scale
        self.networks = nn.ModuleDict(networks)
        stated = [channels_of(net) for net in networks.values() if hasattr(net, "channels")]
        self.channels = max(stated, default=3)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale (B, 3, H, W) in [0, 1] to (B, 3, sH, sW), not clamped."""
        step = self.method(dict(self.networks.items()), {"real_lr": lr}, self.scale)
        restored: Tensor = step.restored  # type: ignore[attr-defined]
        return restored
