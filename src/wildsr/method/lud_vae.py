"""LUD-VAE, a joint latent model of clean and real LR (Zheng et al. 2022, arXiv:2204.10090)."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.method.part import draw, network, optional, tensor
from wildsr.method.upscaling import Upscaling


class LUDVAE(Upscaling):
    """A variational degrader: real LR differs from clean LR by a latent variable of its own.

    No critic. In stage ``degrade`` the model maximises its evidence lower bound, one term for each
    domain; in stage ``upscale`` it makes the LR that the upscaler is trained on.
    """

    degrade = network("the joint model: clean LR and its draws to LR like the real one")

    @tensor
    def clean_lr(self) -> Tensor:
        """(B, 3, H, W) the sharp crop by antialiased bicubic downscaling, in [0, 1]."""
        return downscale(self.hr, self.scale).clamp(0, 1)

    @draw
    def draws(self) -> tuple[Tensor, ...]:
        """Standard normal: the noise on clean images, and the degradation of each level."""
        return self.degrade.draws(self.clean_lr)

    @draw
    def grain(self) -> Tensor:
        """(B, 3, H, W) standard normal: the noise on real images."""
        return torch.randn_like(self.clean_lr)

    @tensor
    def clean_again(self) -> Tensor:
        """(B, 3, H, W) the clean LR, decoded from its content."""
        return self.degrade.clean(self.clean_lr, self.draws[0])

    @tensor
    def inferred(self) -> tuple[Tensor, ...]:
        """The real LR, decoded; means and logarithms of deviations of q(z_n) and of p(z_n)."""
        return self.degrade.real(self.real_lr, self.grain, *self.draws[1:])

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR: the content of the clean one, a degradation drawn."""
        return self.degrade(self.clean_lr, *self.draws)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the generated LR in 8 bits, as the file that the authors write."""
        return self.rounded(self.fake_lr)

    @optional
    def sr_clean(self) -> Tensor:
        """(B, 3, sH, sW) the sharp crop from its clean LR: what prepares the upscaler."""
        return self.upscale(self.clean_lr)


class LUDVAEGAN(LUDVAE):
    """The same with the critic of ESRGAN, the authors' upscaler."""

    critic = network("HR to logits: a real sharp crop?")
