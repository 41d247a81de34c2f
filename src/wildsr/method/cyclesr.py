"""CycleSR, an indirect supervised path (Chen et al., CVPR Workshops 2020, arXiv:1910.02593)."""

from __future__ import annotations

from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.method.part import network, tensor
from wildsr.method.upscaling import Upscaling


class CycleSR(Upscaling):
    """CycleGAN between clean and real LR, whose degradation also has to be one that SR undoes."""

    degrade = network("clean LR to real LR, unclamped")
    clean = network("real LR to clean LR, unclamped")
    critic = network("LR to a map of logits: a real photo?")
    critic_clean = network("LR to a map of logits: a clean image?")

    @tensor
    def clean_lr(self) -> Tensor:
        """(B, 3, H, W) the sharp crop by antialiased bicubic, in 8 bits as in a file."""
        return self.rounded(downscale(self.hr, self.scale))

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) what a real photo of the sharp crop would be, unclamped."""
        return self.degrade(self.clean_lr)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR in 8 bits."""
        return self.rounded(self.fake_lr)

    @tensor
    def cycled_clean(self) -> Tensor:
        """(B, 3, H, W) the clean image, degraded and cleaned again."""
        return self.clean(self.fake_lr)

    @tensor
    def cleaned(self) -> Tensor:
        """(B, 3, H, W) the real photo, cleaned."""
        return self.clean(self.real_lr)

    @tensor
    def cycled_real(self) -> Tensor:
        """(B, 3, H, W) the real photo, cleaned and degraded again."""
        return self.degrade(self.cleaned)

    @tensor
    def same_real(self) -> Tensor:
        """(B, 3, H, W) what is a real photo, degraded."""
        return self.degrade(self.real_lr)

    @tensor
    def same_clean(self) -> Tensor:
        """(B, 3, H, W) what is clean, cleaned."""
        return self.clean(self.clean_lr)

    @tensor
    def clean_sr(self) -> Tensor:
        """(B, 3, sH, sW) the sharp crop from its clean LR."""
        return self.upscale(self.clean_lr)
