"""A camera whose few parameters a critic teaches, while the upscaler is trained through it."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import draw, network, tensor
from wildsr.method.upscaling import Upscaling


class AdversarialCamera(Upscaling):
    """PDM-SR's objective (Luo et al. 2022) with a camera in place of free networks.

    A handful of physical parameters is all that a few minutes of a critic's signal can pin down.
    """

    degrade = network("HR and its draws to LR, unclamped")
    critic = network("LR to a map of logits: real?")

    @draw
    def draws(self) -> Tensor:
        """(B, 3, H, W) standard normal: the noise of this iteration."""
        return self.degrade.draws(self.hr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) what the learned camera makes of the sharp crop, in 8 bits."""
        return self.rounded(self.degrade(self.hr, self.draws))
