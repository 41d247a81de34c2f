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
    """Weights generated pairs by how real they look, and trains on real photos at the same time."""

    other_hr = given("(B, 3, sH, sW) sharp crop, drawn apart from hr")
    degrade = network("HR to LR like the real one")
    critic = network("LR to a map of logits: real? It sees high frequencies only")
    critic_hr = network("HR to a map of logits: sharp? It sees high frequencies only")

    @tensor
    def clean_lr(self) -> Tensor:
        """(B, 3, H, W) the HR crop, downscaled by antialiased bicubic, in [0, 1]."""
        return downscale(self.hr, self.scale).clamp(0, 1)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR: the critic's input."""
        return self.degrade(self.hr)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR, rounded to 8 bits like the files the authors save."""
        return self.rounded(self.fake_lr)

    @tensor
    def domain_distance(self) -> Tensor:
        """(B, 1, sH, sW) the loss weight of each HR pixel: near 1 where its LR passes for real.

        The probabilities of the critic's logits, averaged over all patches that contain an LR
        pixel, and bilinearly enlarged. Despite the paper's name it is large where the domain
        distance is small.

        Raises:
            UserError: the critic is not a PatchCritic.
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
