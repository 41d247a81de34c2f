"""DSGAN and ESRGAN-FS, frequency separation (Fritsche et al. 2019, arXiv:1911.07850)."""

from __future__ import annotations

from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.method.part import network, optional, tensor
from wildsr.method.upscaling import Upscaling


class DSGAN(Upscaling):
    """GAN losses on high frequencies only, for the generated LR and for the SR made from it."""

    degrade = network("clean LR to LR like the real one")
    critic = network("LR to a map of logits: real? It sees high frequencies only")
    critic_hr = network("HR to logits: sharp? It sees high frequencies only")

    @tensor
    def clean_lr(self) -> Tensor:
        """(B, 3, H, W) the HR crop, downscaled by antialiased bicubic, in [0, 1]."""
        return downscale(self.hr, self.scale).clamp(0, 1)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR: the critic's input."""
        return self.degrade(self.clean_lr)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR, rounded to 8 bits like the files the authors save."""
        return self.rounded(self.fake_lr)

    @optional
    def sr_clean(self) -> Tensor:
        """(B, 3, sH, sW) the upscaled clean LR of the HR crop: to pretrain the upscaler."""
        return self.upscale(self.clean_lr)
