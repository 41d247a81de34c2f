"""First learn the degradation, then the way back (Bulat et al., ECCV 2018, arXiv:1807.11458)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from wildsr.method.part import draw, network, tensor
from wildsr.method.upscaling import Upscaling


class Bulat(Upscaling):
    """A high-to-low GAN makes the LR on which a low-to-high GAN is trained, one way only."""

    degrade = network("HR and its draws to LR, unclamped")
    critic = network("LR to a map of logits: real?")
    critic_hr = network("HR to a map of logits: real?")

    @draw
    def draws(self) -> Tensor:
        """The normal vectors of this iteration."""
        return self.degrade.draws(self.hr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR, unclamped: what the critic sees."""
        return self.degrade(self.hr, self.draws)

    @tensor
    def pooled_hr(self) -> Tensor:
        """(B, 3, H, W) the mean of each block of the sharp crop: what the LR is to look like."""
        return F.avg_pool2d(self.hr, self.scale)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR in 8 bits."""
        return self.rounded(self.fake_lr)
