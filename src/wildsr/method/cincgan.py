"""Cycle-in-cycle GAN (Yuan et al., CVPR Workshops 2018, arXiv:1809.00437)."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import network, tensor
from wildsr.method.translating import Translating


class CinCGAN(Translating):
    """A cycle at LR size learns to clean; one around it, through HR, fine-tunes the upscaler."""

    shrink = network("SR to real LR")
    critic = network("LR to a map of logits: a clean image?")
    critic_hr = network("HR to a map of logits: a sharp photo?")

    @tensor
    def cycled_lr(self) -> Tensor:
        """(B, 3, H, W) the real photo, cleaned and degraded again."""
        return self.degrade(self.cleaned)

    @tensor
    def same_clean(self) -> Tensor:
        """(B, 3, H, W) what is clean, cleaned."""
        return self.clean(self.clean_lr)

    @tensor
    def shrunk(self) -> Tensor:
        """(B, 3, H, W) the real photo, cleaned, upscaled and shrunk again."""
        return self.shrink(self.restored)

    @tensor
    def same_hr(self) -> Tensor:
        """(B, 3, sH, sW) the sharp crop from its clean LR."""
        return self.upscale(self.clean_lr)
