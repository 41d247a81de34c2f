"""The base class of methods that clean an LR photo before they upscale it."""

from __future__ import annotations

from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.method.part import Method, given, network, optional, tensor


class Translating(Method):
    """Base of methods with two translators between the domains of real LR and clean LR.

    Clean LR is what HR crops are downscaled to. The upscaler gets the output of ``clean`` in
    training and in use alike, so that output is not rounded to 8 bits.
    """

    hr = given("(B, 3, sH, sW) sharp crop")
    real_lr = given("(B, 3, H, W) crop of an unrelated real LR photo")
    degrade = network("clean LR to real LR, unclamped")
    clean = network("real LR to clean LR, unclamped")
    upscale = network("clean LR to HR")

    @tensor
    def clean_lr(self) -> Tensor:
        """(B, 3, H, W) the HR crop, downscaled by antialiased bicubic and rounded to 8 bits."""
        return self.rounded(downscale(self.hr, self.scale))

    @optional
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the clean LR, degraded to look like a real photo; not clamped."""
        return self.degrade(self.clean_lr)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) ``fake_lr``, rounded to 8 bits: for upscalers that use no cleaner."""
        return self.rounded(self.fake_lr)

    @tensor
    def cleaned(self) -> Tensor:
        """(B, 3, H, W) the real LR photo, cleaned."""
        return self.clean(self.real_lr)

    @tensor
    def restored(self) -> Tensor:
        """(B, 3, sH, sW) the real LR photo, cleaned and upscaled."""
        return self.upscale(self.cleaned)
