"""Supervised training on pairs made by a known degradation, the usual baseline."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import network, tensor
from wildsr.method.upscaling import Upscaling


class Supervised(Upscaling):
    """An upscaler trained on pairs (degrade(hr), hr) of a fixed degradation.

    With the true degradation of the test photos it is the upper bound for blind methods.
    """

    degrade = network("HR to LR; fixed, without parameters")

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the degraded HR crop."""
        return self.degrade(self.hr)
