"""The base class of methods that train an upscaler on pairs of generated LR and HR crop."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.method.part import Method, given, network, optional, tensor
from wildsr.network.protocol import Levels


class Upscaling(Method):
    """Base of methods that train ``upscale`` on ``fake_lr``, a tensor that subclasses declare."""

    hr = given("(B, 3, sH, sW) sharp crop")
    real_lr = given("(B, 3, H, W) crop of an unrelated real LR photo")
    upscale = network("LR to HR")

    fake_lr: Tensor

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the LR that the upscaler gets: ``fake_lr``, in subclasses often rounded."""
        return self.fake_lr

    @property
    def redrawn_lr(self) -> Tensor:
        """(B, 3, H, W) ``seen_lr`` with new noise, if a method can draw that alone; else itself."""
        return self.seen_lr

    @property
    def upscaled_lr(self) -> Tensor:
        """(B, 3, H, W) ``seen_lr``; samples with a true LR (real pairs) have that instead."""
        return self.paired(self.seen_lr)

    def paired(self, made: Tensor) -> Tensor:
        """Generated LR ``made`` (B, 3, H, W), with the true LR of samples that have one."""
        true: Tensor | None = self.batch.get("pair_lr")
        return made if true is None else torch.cat([true, made[len(true) :]])

    @tensor
    def sr_levels(self) -> tuple[Tensor, ...]:
        """The upscaled LR at each level of a progressive upscaler such as LapSRN.

        (B, 3, 2H, 2W), (B, 3, 4H, 4W), ...; the last is ``sr``, for other upscalers the only one.
        """
        upscale: object = self.upscale
        if isinstance(upscale, Levels):
            return upscale.levels(self.upscaled_lr)
        return (self.upscale(self.upscaled_lr),)

    @tensor
    def sr(self) -> Tensor:
        """(B, 3, sH, sW) the upscaled LR, to be compared with ``hr``."""
        return self.sr_levels[-1]

    @optional
    def hr_levels(self) -> tuple[Tensor, ...]:
        """The HR crop downscaled by antialiased bicubic to the size of each of ``sr_levels``."""
        width = self.hr.shape[-1]
        return tuple(downscale(self.hr, width // level.shape[-1]) for level in self.sr_levels)

    @optional
    def sr_average(self) -> Tensor:
        """(B, 3, sH, sW) the same LR, upscaled by the moving average; no gradient."""
        return self.average("upscale", self.upscaled_lr)

    @tensor
    def restored(self) -> Tensor:
        """(B, 3, sH, sW) the real LR photo, upscaled."""
        return self.upscale(self.real_lr)
