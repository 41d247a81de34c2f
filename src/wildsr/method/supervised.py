"""Training on pairs that a known degradation makes: what people do today."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import network, tensor
from wildsr.method.upscaling import Upscaling


class Supervised(Upscaling):
    """An upscaler trained on (degrade(hr), hr): the oracle when ``degrade`` is the true camera."""

    degrade = network("HR to LR; fixed, without parameters")

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the degraded crop."""
        return self.degrade(self.hr)
