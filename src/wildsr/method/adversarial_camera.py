"""Learn the few parameters of a camera model adversarially, jointly with the upscaler."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import draw, network, tensor
from wildsr.method.upscaling import Upscaling


class AdversarialCamera(Upscaling):
    """PDM-SR's joint objective (Luo et al. 2022) with a parametric camera as the degrader.

    The camera has a handful of physical parameters (blur, noise) in place of free networks: the
    critic's signal determines these within minutes of training.
    """

    degrade = network("HR and its draws to LR, unclamped")
    critic = network("LR to a map of logits: real?")

    @draw
    def draws(self) -> Tensor:
        """The random numbers of this iteration: standard normal noise, and what else is drawn.

        (B, 3, H, W), or a tuple of it and more if blur or JPEG quality vary from image to image.
        """
        return self.degrade.draws(self.hr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the HR crop degraded by the learned camera, rounded to 8 bits."""
        return self.rounded(self.degrade(self.hr, self.draws))
