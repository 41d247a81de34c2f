"""Learn the degradation, then super-resolution (Bulat et al., ECCV 2018, arXiv:1807.11458)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from wildsr.method.part import draw, network, tensor
from wildsr.method.upscaling import Upscaling


class Bulat(Upscaling):
    """A high-to-low GAN generates the LR images on which a low-to-high GAN is trained; no cycle."""

    degrade = network("HR and its draws to LR, unclamped")
    critic = network("LR to a map of logits: real?")
    critic_hr = network("HR to a map of logits: real?")

    @draw
    def draws(self) -> Tensor:
        """The normal random vectors of this iteration, input of the high-to-low network."""
        return self.degrade.draws(self.hr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR, not clamped; the input of the LR critic."""
        return self.degrade(self.hr, self.draws)

    @tensor
    def pooled_hr(self) -> Tensor:
        """(B, 3, H, W) the HR crop, average-pooled to LR size: target of the LR's pixel loss."""
        return F.avg_pool2d(self.hr, self.scale)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR in 8 bits."""
        return self.rounded(self.fake_lr)
