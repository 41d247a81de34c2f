"""Our default: measure the camera that took the LR photos, and train the upscaler through it."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import draw, network, tensor
from wildsr.method.upscaling import Upscaling


class Wild(Upscaling):
    """An upscaler trained through the camera that was measured on the LR photos themselves.

    What the photos' files and pixels state is read, what statistics show is measured by simulated
    moments (McFadden 1989), both before the first iteration (:mod:`wildsr.calibration`); the camera
    then stands still, and all time goes to the upscaler.
    """

    degrade = network("HR and its draws to LR, unclamped; measured, then frozen")

    @draw
    def draws(self) -> tuple[Tensor, ...]:
        """Which camera each picture is taken by, its noise, and where its JPEG blocks lie."""
        return self.degrade.draws(self.hr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) what the measured camera makes of the sharp crop, in 8 bits."""
        return self.rounded(self.degrade(self.hr, self.draws))
