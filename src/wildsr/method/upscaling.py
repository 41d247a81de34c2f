"""The base class of methods that train an upscaler on (generated LR, sharp crop)."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.method.part import Method, given, network, optional, tensor
from wildsr.network.protocol import Levels


class Upscaling(Method):
    """Base of methods that train an upscaler on ``fake_lr``, which subclasses declare."""

    hr = given("(B, 3, sH, sW) sharp crop")
    real_lr = given("(B, 3, H, W) crop of an unrelated real LR photo")
    upscale = network("LR to HR")

    fake_lr: Tensor

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) what the upscaler gets of ``fake_lr``."""
        return self.fake_lr

    @property
    def upscaled_lr(self) -> Tensor:
        """(B, 3, H, W) ``seen_lr``, but for the true LR of those crops of ``hr`` that have one."""
        true: Tensor | None = self.batch.get("pair_lr")
        return self.seen_lr if true is None else torch.cat([true, self.seen_lr[len(true) :]])

    @tensor
    def sr_levels(self) -> tuple[Tensor, ...]:
        """(B, 3, 2H, 2W), (B, 3, 4H, 4W), ...: each level of a progressive upscaler.

        The last, which of other upscalers is the only one, is ``sr``.
        """
        upscale: object = self.upscale
        if isinstance(upscale, Levels):
            return upscale.levels(self.upscaled_lr)
        return (self.upscale(self.upscaled_lr),)

    @tensor
    def sr(self) -> Tensor:
        """(B, 3, sH, sW) the sharp crop again."""
        return self.sr_levels[-1]

    @optional
    def hr_levels(self) -> tuple[Tensor, ...]:
        """The sharp crop at the size of each level, by antialiased bicubic downscaling."""
        width = self.hr.shape[-1]
        return tuple(downscale(self.hr, width // level.shape[-1]) for level in self.sr_levels)

    @optional
    def sr_average(self) -> Tensor:
        """(B, 3, sH, sW) what the average of the upscaler makes of the same LR; a constant."""
        return self.average("upscale", self.upscaled_lr)

    @tensor
    def restored(self) -> Tensor:
        """(B, 3, sH, sW) the real photo, upscaled."""
        return self.upscale(self.real_lr)
