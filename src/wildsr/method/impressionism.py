"""RealSR, the winner of NTIRE 2020's real-world challenge by the team Impressionism."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import draw, network, tensor
from wildsr.method.upscaling import Upscaling


class Impressionism(Upscaling):
    """Pairs made with kernels and noise of the real photos (Ji et al. 2020, CVPR workshops).

    No degradation is trained: its pools are harvested once, before the first iteration.
    """

    degrade = network("HR and its draws to LR in 8 bits, from pools; no parameters")

    @draw
    def draws(self) -> tuple[Tensor, Tensor]:
        """Which kernel and which noise each sample gets in this iteration."""
        return self.degrade.draws(self.hr)

    @tensor
    def fake_lr(self) -> Tensor:
        """(B, 3, H, W) the crop shrunk by its kernel, with its noise, in 8 bits."""
        return self.degrade(self.hr, self.draws)


class ImpressionismGAN(Impressionism):
    """The same with the critic of the published loss."""

    critic = network("HR to logits: a real sharp crop?")
