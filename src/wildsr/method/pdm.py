"""PDM-SR, a probabilistic degradation model (Luo et al., CVPR 2022, arXiv:2203.04962)."""

from __future__ import annotations

from torch import Tensor

from wildsr.degradation.bicubic import to_8_bit
from wildsr.method.part import Method, given, network, tensor


class PDM(Method):
    """Unpaired SR through a random kernel and noise, each made by a network from draws."""

    hr = given("(B, 3, sH, sW) sharp crop")
    real_lr = given("(B, 3, H, W) crop of an unrelated real LR photo")
    degrade = network("HR and its draws to (LR, kernel, noise)")
    upscale = network("LR to HR")
    critic = network("LR to a map of logits: real?")

    @tensor
    def draws(self) -> tuple[Tensor, Tensor]:
        """The normal numbers that the kernel and the noise are made from in this iteration."""
        return self.degrade.draws(self.hr)

    @tensor
    def formed(self) -> tuple[Tensor, Tensor, Tensor]:
        """(LR, kernel, noise) of the sharp crop."""
        return self.degrade(self.hr, *self.draws)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR, unclamped: what the critic sees."""
        return self.formed[0]

    @tensor
    def noise(self) -> Tensor:
        """(B, 3, H, W) the noise that was added."""
        return self.formed[2]

    @tensor
    def sr(self) -> Tensor:
        """(B, 3, sH, sW) the sharp crop again, from the generated LR in 8 bits."""
        return self.upscale(to_8_bit(self.fake_lr))

    @tensor
    def restored(self) -> Tensor:
        """(B, 3, sH, sW) the real photo, upscaled."""
        return self.upscale(self.real_lr)
