"""Exponential moving averages (EMA) of the networks that will be used."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wildsr.error import UserError


class Anchor(NamedTuple):
    """Weights that a moving average stays near, and the share of them in it, 0 to 1."""

    network: nn.Module
    share: float


class EMA(nn.Module):
    """Moving averages of some networks: ``average += (1 - d) * (weight - average)``.

    ``d = min(decay, (1 + n) / (10 + n))`` at update ``n``, so that the random initial weights are
    soon forgotten. Buffers (running statistics and the like) are copied.

    An average with an anchor moves towards weights between the anchor's and the network's: what was
    fine-tuned on a narrow task keeps part of what it knew (Wortsman et al., CVPR 2022, "Robust
    fine-tuning of zero-shot models", equation 1).

    Args:
        networks: what to average, by name.
        decay: in [0, 1); 0 keeps a plain copy.
        anchors: by the same names; of some networks.

    Raises:
        UserError: another decay.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        decay: float,
        anchors: Mapping[str, Anchor] | None = None,
    ) -> None:
        super().__init__()
        if not (isinstance(decay, int | float) and 0 <= decay < 1):
            raise UserError(f"`method.ema` must be a number from 0 to below 1, but got {decay!r}.")
        self.decay = decay
        self.networks = nn.ModuleDict({n: copy.deepcopy(m) for n, m in networks.items()})
        anchors = anchors or {}
        self.anchors = nn.ModuleDict({n: copy.deepcopy(a.network) for n, a in anchors.items()})
        self.shares = {name: anchor.share for name, anchor in anchors.items()}
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, networks: Mapping[str, nn.Module], updates: Mapping[str, int]) -> None:
        """Move the averages towards ``networks``.

        Args:
            networks: by name.
            updates: for each network to update, the number of earlier updates since its training
                began; negative before that, when the average is a copy of the network.
        """
        for name, earlier in updates.items():
            average, source = self.networks[name], networks[name]
            decay = min(self.decay, (1 + earlier) / (10 + earlier)) if earlier >= 0 else 0.0
            pairs = list(zip(average.parameters(), source.parameters(), strict=True))
            if pairs:
                averages: list[Tensor] = [own for own, _ in pairs]
                weights: list[Tensor] = [weight.detach() for _, weight in pairs]
                if name in self.shares:
                    known: list[Tensor] = list(self.anchors[name].parameters())
                    weights = [*torch._foreach_lerp(weights, known, self.shares[name])]
                torch._foreach_lerp_(averages, weights, 1 - decay)
            for buffer, value in zip(average.buffers(), source.buffers(), strict=True):
                buffer.copy_(value)

    def train(self, mode: bool = True) -> EMA:
        """Stay in evaluation mode, whatever ``mode``: averages are never trained."""
        return super().train(False)


@torch.no_grad()
def copy_weights(network: nn.Module, origin: nn.Module) -> None:
    """Copy the parameters and buffers of ``origin`` into ``network``, of the same architecture."""
    for whole in ("parameters", "buffers"):
        pairs = zip(getattr(network, whole)(), getattr(origin, whole)(), strict=True)
        for value, source in pairs:
            value.copy_(source)
