"""Our default: learn the camera that took the LR photos, and train the upscaler through it."""

from __future__ import annotations

from torch import Tensor

from wildsr.degradation.bicubic import to_8_bit
from wildsr.method.part import Method, given, network, tensor


class Wild(Method):
    """PDM-SR's objective (Luo et al. 2022) with a camera in place of free networks.

    A handful of physical parameters is all that a few minutes of a critic's signal can pin down.
    """

    hr = given("(B, 3, sH, sW) sharp crop")
    real_lr = given("(B, 3, H, W) crop of an unrelated real LR photo")
    degrade = network("HR and its draws to LR, unclamped")
    upscale = network("LR to HR")
    critic = network("LR to a map of logits: real?")

    @tensor
    def draws(self) -> Tensor:
        """(B, 3, H, W) standard normal: the noise of this iteration."""
        return self.degrade.draws(self.hr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) what the learned camera makes of the sharp crop, in 8 bits."""
        return to_8_bit(self.degrade(self.hr, self.draws))

    @tensor
    def sr(self) -> Tensor:
        """(B, 3, sH, sW) the sharp crop again."""
        return self.upscale(self.fake_lr)

    @tensor
    def restored(self) -> Tensor:
        """(B, 3, sH, sW) the real photo, upscaled."""
        return self.upscale(self.real_lr)
