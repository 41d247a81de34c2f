"""The base class of methods that clean a photo before they upscale it."""

from __future__ import annotations

from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.method.part import Method, given, network, optional, tensor


class Translating(Method):
    """Base of methods with two translators, between real photos and clean LR.

    Clean LR is what sharp crops are downscaled to.

    The upscaler gets what ``clean`` makes, in training and in use alike, and so nothing of it is
    rounded to 8 bits.
    """

    hr = given("(B, 3, sH, sW) sharp crop")
    real_lr = given("(B, 3, H, W) crop of an unrelated real LR photo")
    degrade = network("clean LR to real LR, unclamped")
    clean = network("real LR to clean LR, unclamped")
    upscale = network("clean LR to HR")

    @tensor
    def clean_lr(self) -> Tensor:
        """(B, 3, H, W) the sharp crop by antialiased bicubic, in 8 bits as in a file."""
        return self.rounded(downscale(self.hr, self.scale))

    @optional
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) what a real photo of the sharp crop would be, unclamped."""
        return self.degrade(self.clean_lr)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) ``fake_lr`` in 8 bits: what upscalers without a cleaner train on."""
        return self.rounded(self.fake_lr)

    @tensor
    def cleaned(self) -> Tensor:
        """(B, 3, H, W) the real photo, cleaned."""
        return self.clean(self.real_lr)

    @tensor
    def restored(self) -> Tensor:
        """(B, 3, sH, sW) the real photo, cleaned and upscaled."""
        return self.upscale(self.cleaned)
