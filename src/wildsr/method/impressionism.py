"""RealSR by team Impressionism, the winner of NTIRE 2020's real-world SR challenge."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import draw, network, tensor
from wildsr.method.upscaling import Upscaling


class Impressionism(Upscaling):
    """LR made with blur kernels and noise taken from the real photos (Ji et al., CVPRW 2020).

    No degradation is trained: the pools of kernels and noise patches are collected once, before the
    first iteration.
    """

    degrade = network("HR and its draws to LR in 8 bits, from pools; no parameters")

    @draw
    def draws(self) -> tuple[Tensor, Tensor]:
        """The indices of the kernel and the noise patch of each sample in this iteration."""
        return self.degrade.draws(self.hr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the HR crop, downscaled with its kernel, with its noise, in 8 bits."""
        return self.degrade(self.hr, self.draws)


class ImpressionismGAN(Impressionism):
    """Impressionism trained with its published GAN loss, which adds a critic."""

    critic = network("HR to logits: a real sharp crop?")
