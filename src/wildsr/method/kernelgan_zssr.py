"""Single-image SR: estimate the photo's blur kernel by KernelGAN, then train ZSSR with it."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.method.part import draw, given, network, tensor
from wildsr.method.upscaling import Upscaling

QUANTUM = 1 / 255  # standard deviation of the noise on what the critic judges


class KernelGANZSSR(Upscaling):
    """KernelGAN (Bell-Kligler et al. 2019, arXiv:1909.06581), ZSSR (Shocher et al. 2017).

    KernelGAN learns the kernel for which patches of the downscaled photo are indistinguishable from
    patches of the photo: an estimate of the blur the photo was taken with. ZSSR (arXiv:1712.06087)
    trains an upscaler to invert it: from the photo downscaled once more, the "son", to the photo
    itself, the "father".

    Stages in ``conf/method``: ``align`` (the kernel starts from bicubic), ``kernel``, ``upscale``.
    """

    hr = given("(B, 3, sP, sP) crop of the photo: what is shrunk, and the father")
    real_lr = given("(B, 3, P, P) another crop of the same photo: what the critic holds for real")
    degrade = network("the linear network: a photo to half its size, or by its kernel to 1 / scale")
    critic = network("picture to a map of logits: of the photo's own scale?")

    @tensor
    def kernel(self) -> Tensor:
        """(1, k, k) the kernel that the linear network amounts to, as it is trained."""
        return self.degrade.filter()

    @tensor
    def halved(self) -> Tensor:
        """(B, 3, h, w) the crop downscaled by 2, only where the kernel lies inside the crop."""
        return self.degrade.halve(self.hr, self.kernel)

    @tensor
    def bicubic_halved(self) -> Tensor:
        """(B, 3, h, w) the same region downscaled by 2 with antialiased bicubic."""
        cut = (self.degrade.size - 1) // 4
        height, width = self.halved.shape[-2:]
        return downscale(self.hr, 2)[..., cut : cut + height, cut : cut + width]

    @tensor
    def grain(self) -> tuple[Tensor, Tensor]:
        """Noise of one 8-bit level for the critic's two inputs, to hide their rounding.

        (B, 3, P, P) for the real and (B, 3, h, w) for the downscaled crop.
        """
        return QUANTUM * torch.randn_like(self.real_lr), QUANTUM * torch.randn_like(self.halved)

    @tensor
    def judged_real(self) -> Tensor:
        """(B, 3, P, P) the real crop with that noise: the critic's input."""
        return self.real_lr + self.grain[0]

    @tensor
    def judged_fake(self) -> Tensor:
        """(B, 3, h, w) the downscaled crop with that noise: the critic's input."""
        return self.halved + self.grain[1]

    @draw
    def draws(self) -> Tensor:
        """(B, 3, P, P) standard normal: the noise added to the son."""
        return self.degrade.draws(self.hr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, P, P) the son: the crop downscaled by the kernel of the full scale, with noise."""
        return self.degrade(self.hr, self.draws)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, P, P) the son, rounded to 8 bits."""
        return self.rounded(self.fake_lr)
