"""Cycle-in-cycle GAN (Yuan et al., CVPR Workshops 2018, arXiv:1809.00437)."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import network, tensor
from wildsr.method.translating import Translating


class CinCGAN(Translating):
    """An inner cycle at LR size learns to clean; an outer cycle through HR tunes the upscaler."""

    shrink = network("SR to real LR")
    critic = network("LR to a map of logits: a clean image?")
    critic_hr = network("HR to a map of logits: a sharp photo?")

    @tensor
    def cycled_lr(self) -> Tensor:
        """(B, 3, H, W) the real LR photo, cleaned and degraded again: the inner cycle."""
        return self.degrade(self.cleaned)

    @tensor
    def same_clean(self) -> Tensor:
        """(B, 3, H, W) clean LR passed through the cleaner: for the identity loss."""
        return self.clean(self.clean_lr)

    @tensor
    def shrunk(self) -> Tensor:
        """(B, 3, H, W) the real photo, cleaned, upscaled and downscaled again: the outer cycle."""
        return self.shrink(self.restored)

    @tensor
    def same_hr(self) -> Tensor:
        """(B, 3, sH, sW) the upscaled clean LR of the HR crop: for the identity loss."""
        return self.upscale(self.clean_lr)
