"""LUD-VAE, a joint latent model of clean and real LR (Zheng et al. 2022, arXiv:2204.10090)."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.method.part import draw, network, optional, tensor
from wildsr.method.upscaling import Upscaling


class LUDVAE(Upscaling):
    """Variational degrader: real LR is clean LR plus a latent variable for its degradation.

    There is no critic. In stage ``degrade`` the model maximises its evidence lower bound, one term
    for each domain; in stage ``upscale`` it generates the LR that the upscaler is trained on.
    """

    degrade = network("the joint model: clean LR and its draws to LR like the real one")

    @tensor
    def clean_lr(self) -> Tensor:
        """(B, 3, H, W) the HR crop, downscaled by antialiased bicubic, in [0, 1]."""
        return downscale(self.hr, self.scale).clamp(0, 1)

    @draw
    def draws(self) -> tuple[Tensor, ...]:
        """Standard normal numbers: noise on the clean LR, then the latent of each level.

        (B, 3, H, W), then (B, features, H, W) for each level, the topmost first.
        """
        return self.degrade.draws(self.clean_lr)

    @draw
    def grain(self) -> Tensor:
        """(B, 3, H, W) standard normal: the noise added to real LR before encoding."""
        return torch.randn_like(self.clean_lr)

    @tensor
    def clean_again(self) -> Tensor:
        """(B, 3, H, W) the reconstruction of the clean LR."""
        return self.degrade.clean(self.clean_lr, self.draws[0])

    @tensor
    def inferred(self) -> tuple[Tensor, ...]:
        """The reconstruction of the real LR; mean and log std of q(z_n), then of p(z_n)."""
        return self.degrade.real(self.real_lr, self.grain, *self.draws[1:])

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR: content of the clean LR, degradation from the prior."""
        return self.degrade(self.clean_lr, *self.draws)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR, rounded to 8 bits like the files the authors save."""
        return self.rounded(self.fake_lr)

    @optional
    def sr_clean(self) -> Tensor:
        """(B, 3, sH, sW) the upscaled clean LR of the HR crop: to pretrain the upscaler."""
        return self.upscale(self.clean_lr)


class LUDVAEGAN(LUDVAE):
    """LUD-VAE whose upscaler is trained with the GAN loss of ESRGAN, as the authors do."""

    critic = network("HR to logits: a real sharp crop?")
