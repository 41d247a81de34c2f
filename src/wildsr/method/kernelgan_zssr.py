"""One photo and nothing else: its kernel by KernelGAN, then ZSSR trained through that kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.method.part import draw, given, network, tensor
from wildsr.method.upscaling import Upscaling

QUANTUM = 1 / 255  # standard deviation of the noise on what the critic judges


class KernelGANZSSR(Upscaling):
    """KernelGAN (Bell-Kligler et al. 2019, arXiv:1909.06581), ZSSR (Shocher et al. 2017).

    The kernel with which a photo is shrunk so that patches of the small picture look like patches
    of the photo is the kernel that took the photo. ZSSR (arXiv:1712.06087) then learns to undo it:
    from the photo shrunk once more, the "son", back to the photo itself, its "father".

    Stages in ``conf/method``: ``align`` on bicubic, ``kernel``, ``upscale``.
    """

    hr = given("(B, 3, sP, sP) crop of the photo: what is shrunk, and the father")
    real_lr = given("(B, 3, P, P) another crop of the same photo: what the critic holds for real")
    degrade = network("the linear network: a photo to half its size, or by its kernel to 1 / scale")
    critic = network("picture to a map of logits: of the photo's own scale?")

    @tensor
    def kernel(self) -> Tensor:
        """(1, k, k) what the linear network is, as it is trained."""
        return self.degrade.filter()

    @tensor
    def halved(self) -> Tensor:
        """(B, 3, h, w) the crop at half its size, where the kernel lies within."""
        return self.degrade.halve(self.hr, self.kernel)

    @tensor
    def bicubic_halved(self) -> Tensor:
        """(B, 3, h, w) the same by antialiased bicubic."""
        cut = (self.degrade.size - 1) // 4
        height, width = self.halved.shape[-2:]
        return downscale(self.hr, 2)[..., cut : cut + height, cut : cut + width]

    @tensor
    def grain(self) -> tuple[Tensor, Tensor]:
        """The noise on the two pictures that the critic judges, so that it cannot count levels."""
        return QUANTUM * torch.randn_like(self.real_lr), QUANTUM * torch.randn_like(self.halved)

    @tensor
    def judged_real(self) -> Tensor:
        """(B, 3, P, P) the photo with grain."""
        return self.real_lr + self.grain[0]

    @tensor
    def judged_fake(self) -> Tensor:
        """(B, 3, h, w) the shrunk crop with grain."""
        return self.halved + self.grain[1]

    @draw
    def draws(self) -> Tensor:
        """(B, 3, P, P) standard normal: the noise of the son."""
        return self.degrade.draws(self.hr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, P, P) the son: the crop shrunk by the kernel of the whole scale, with noise."""
        return self.degrade(self.hr, self.draws)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, P, P) the son in 8 bits."""
        return self.rounded(self.fake_lr)
