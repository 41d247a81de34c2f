"""PDM-SR, a probabilistic degradation model (Luo et al., CVPR 2022, arXiv:2203.04962)."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import draw, network, tensor
from wildsr.method.upscaling import Upscaling


class PDM(Upscaling):
    """Unpaired SR through a random kernel and noise, each made by a network from draws."""

    degrade = network("HR and its draws to (LR, kernel, noise)")
    critic = network("LR to a map of logits: real?")

    @draw
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

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR in 8 bits."""
        return self.rounded(self.fake_lr)
