"""DASR, domain-distance aware training (Wei et al., CVPR 2021, arXiv:2004.01178)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation.bicubic import downscale
from wildsr.error import UserError
from wildsr.method.part import given, network, tensor
from wildsr.method.upscaling import Upscaling
from wildsr.network.critic.patch import PatchCritic
from wildsr.network.window import spread


class DASR(Upscaling):
    """Generated pairs count where they look real, and real photos are upscaled while training."""

    other_hr = given("(B, 3, sH, sW) sharp crop, drawn apart from hr")
    degrade = network("HR to LR like the real one")
    critic = network("LR to a map of logits: real? It sees high frequencies only")
    critic_hr = network("HR to a map of logits: sharp? It sees high frequencies only")

    @tensor
    def clean_lr(self) -> Tensor:
        """(B, 3, H, W) the sharp crop by antialiased bicubic downscaling, in [0, 1]."""
        return downscale(self.hr, self.scale).clamp(0, 1)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR: what the critic sees."""
        return self.degrade(self.hr)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR in 8 bits, as the file that the authors write."""
        return self.rounded(self.fake_lr)

    @tensor
    def domain_distance(self) -> Tensor:
        """(B, 1, sH, sW) the weight of each HR pixel, 1 where its LR was taken for real.

        The critic's probabilities, averaged over all places that have seen an LR pixel, bilinearly
        enlarged. Large where the distance is small, whatever its name says.
        """
        critic = self.critic
        if not isinstance(critic, PatchCritic):
            raise UserError(
                "`domain_distance` needs a `network/critic` of patches (a PatchCritic: fsd, patch, "
                f"patch_local), but got {type(critic).__name__}."
            )
        logits = critic(self.fake_lr)
        real = torch.sigmoid(logits.to(torch.promote_types(logits.dtype, torch.float32)))
        height, width = self.fake_lr.shape[-2:]
        seen = spread(real, critic.window, (height, width))
        return F.interpolate(seen, size=self.hr.shape[-2:], mode="bilinear")
