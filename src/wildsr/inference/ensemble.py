"""Self-ensemble: the mean over the eight flips and rotations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.inference.tile import channels_of


class Ensemble(nn.Module):
    """Geometric self-ensemble: averages a network over the eight flips and rotations of its input.

    ``1/8 sum_k T_k^-1 network(T_k lr)`` (Lim et al. 2017, EDSR, arXiv:1707.02921, section 3.4).
    Eight times the work, usually a slightly higher PSNR; the result is equivariant even if the
    network is not.

    Shapes:
        lr (B, 3, H, W) in [0, 1] -> (B, 3, sH, sW), not clamped.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.channels = network, channels_of(network)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W) eight times."""
        total: Tensor | None = None
        for turns in range(4):
            for mirrored in (False, True):
                seen = torch.rot90(lr.flip(-1) if mirrored else lr, turns, (-2, -1))
                out = torch.rot90(self.network(seen.contiguous()), -turns, (-2, -1))
                out = out.flip(-1) if mirrored else out
                total = out if total is None else total + out
        assert total is not None
        return total / 8
