"""The default method: measure the camera of the LR photos, then train the upscaler through it."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import draw, network, optional, tensor
from wildsr.method.upscaling import Upscaling
from wildsr.network.protocol import Redraws


class Wild(Upscaling):
    """An upscaler trained on LR degraded by a camera model measured on the LR photos.

    Before the first iteration, camera parameters are read from the photos' headers and pixels where
    possible, and the rest is estimated by the method of simulated moments (McFadden 1989); see
    :mod:`wildsr.calibration`. The camera is then fixed, and only the upscaler is trained.
    """

    degrade = network("HR and its draws to LR, unclamped; measured, then frozen")

    @draw
    def draws(self) -> tuple[Tensor, ...]:
        """The random numbers of this iteration: camera of each sample, noise, JPEG grid phase."""
        return self.degrade.draws(self.hr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the HR crop degraded by the measured camera, rounded to 8 bits."""
        return self.rounded(self.degrade(self.hr, self.draws))

    @optional
    def redrawn_lr(self) -> Tensor:
        """(B, 3, H, W) the HR crop taken once more by the same camera: its noise is drawn anew.

        Of images that pass a lossy coding it is ``fake_lr``.
        """
        degrade: object = self.degrade
        again = degrade.redraw(self.hr, self.draws) if isinstance(degrade, Redraws) else self.draws
        return self.fake_lr if again is self.draws else self.rounded(self.degrade(self.hr, again))
