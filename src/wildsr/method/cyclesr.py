"""CycleSR, an indirect supervised path (Chen et al., CVPR Workshops 2020, arXiv:1910.02593)."""

from __future__ import annotations

from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.method.part import network, tensor
from wildsr.method.upscaling import Upscaling


class CycleSR(Upscaling):
    """CycleGAN between clean and real LR, trained jointly with an upscaler on the degraded LR.

    The SR loss also trains the degradation: it has to stay one that the upscaler can invert.
    """

    degrade = network("clean LR to real LR, unclamped")
    clean = network("real LR to clean LR, unclamped")
    critic = network("LR to a map of logits: a real photo?")
    critic_clean = network("LR to a map of logits: a clean image?")

    @tensor
    def clean_lr(self) -> Tensor:
        """(B, 3, H, W) the HR crop, downscaled by antialiased bicubic and rounded to 8 bits."""
        return self.rounded(downscale(self.hr, self.scale))

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the clean LR, degraded to look like a real photo; not clamped."""
        return self.degrade(self.clean_lr)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR, rounded to 8 bits: the upscaler's input."""
        return self.rounded(self.fake_lr)

    @tensor
    def cycled_clean(self) -> Tensor:
        """(B, 3, H, W) the clean LR, degraded and cleaned again: for the cycle loss."""
        return self.clean(self.fake_lr)

    @tensor
    def cleaned(self) -> Tensor:
        """(B, 3, H, W) the real photo, cleaned."""
        return self.clean(self.real_lr)

    @tensor
    def cycled_real(self) -> Tensor:
        """(B, 3, H, W) the real photo, cleaned and degraded again: for the cycle loss."""
        return self.degrade(self.cleaned)

    @tensor
    def same_real(self) -> Tensor:
        """(B, 3, H, W) the real photo passed through the degradation: for the identity loss."""
        return self.degrade(self.real_lr)

    @tensor
    def same_clean(self) -> Tensor:
        """(B, 3, H, W) clean LR passed through the cleaner: for the identity loss."""
        return self.clean(self.clean_lr)

    @tensor
    def clean_sr(self) -> Tensor:
        """(B, 3, sH, sW) the upscaled clean LR of the HR crop."""
        return self.upscale(self.clean_lr)
