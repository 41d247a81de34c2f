"""Training on pairs that a known degradation makes: what people do today."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import Method, given, network, tensor


class Supervised(Method):
    """An upscaler trained on (degrade(hr), hr): the oracle when ``degrade`` is the true camera."""

    hr = given("(B, 3, sH, sW) sharp crop")
    real_lr = given("(B, 3, H, W) real LR photo; not seen in training")
    degrade = network("HR to LR; fixed, without parameters")
    upscale = network("LR to HR")

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the degraded crop."""
        return self.degrade(self.hr)

    @tensor
    def sr(self) -> Tensor:
        """(B, 3, sH, sW) the sharp crop again."""
        return self.upscale(self.fake_lr)

    @tensor
    def restored(self) -> Tensor:
        """(B, 3, sH, sW) the real photo, upscaled."""
        return self.upscale(self.real_lr)
