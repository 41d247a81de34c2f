"""Pseudo-supervision (Maeda, CVPR 2020, arXiv:2002.11397)."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.method.dihedral import turn, turn_back
from wildsr.method.part import draw, network, tensor
from wildsr.method.translating import Translating


class Maeda(Translating):
    """Clean LR is degraded and cleaned again (pseudo-clean); the upscaler trains on the result."""

    critic = network("LR to a map of logits: a real photo?")
    critic_clean = network("LR to a map of logits: a clean image?")
    critic_hr = network("SR to a map of logits: of a real photo?")

    @draw
    def draws(self) -> Tensor:
        """(B, 1, H, W) standard normal: the noise of this iteration."""
        return self.degrade.draws(self.clean_lr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the clean LR, degraded to look like a real photo; not clamped."""
        return self.degrade(self.clean_lr, self.draws)

    @tensor
    def pseudo_clean(self) -> Tensor:
        """(B, 3, H, W) the generated LR, cleaned again: the upscaler's training input."""
        return self.clean(self.fake_lr)

    @tensor
    def sr(self) -> Tensor:
        """(B, 3, sH, sW) the pseudo-clean LR, upscaled."""
        return self.upscale(self.pseudo_clean)

    @tensor
    def same_clean(self) -> Tensor:
        """(B, 3, H, W) clean LR passed through the cleaner: for the identity loss."""
        return self.clean(self.clean_lr)

    @draw
    def way(self) -> Tensor:
        """Scalar, 0 to 7: the flip or rotation of the real photos in this iteration."""
        return torch.randint(8, ())

    @tensor
    def cleaned_turned(self) -> Tensor:
        """(B, 3, H, W) the real photo flipped or rotated, cleaned, and flipped back."""
        way = int(self.way)
        return turn_back(self.clean(turn(self.real_lr, way)), way)
