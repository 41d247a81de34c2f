"""RealPLKSR, an upscaler with partial large-kernel convolutions."""

from __future__ import annotations

from functools import partial
from typing import Any

from spandrel.architectures.PLKSR import RealPLKSR as Original
from torch import Tensor

from wildsr.argument import check_counts, check_integer, shuffle_factors
from wildsr.error import UserError

NORM_GROUPS = 4  # not an argument: other tools cannot infer it from the weights


class RealPLKSR(Original):
    """RealPLKSR of neosr, after PLKSR (Lee et al. 2024, arXiv:2404.11848).

    Blocks mix channels by 3x3 convolutions, convolve part of the channels with a large kernel, and
    weight each element (element-wise attention); ``sr = shuffle(features + lr repeated)``. The
    class and the keys are spandrel's. Images have three channels.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels of the hidden layers, a multiple of 4.
        blocks: number of blocks.
        kernel: side of the large kernel, odd.
        attention: use element-wise attention.
        layer_norm: normalise each pixel (layer norm) instead of groups of channels over the whole
            image (group norm): tiles of a photo then give the same result as the whole, and half
            precision is safe.
        channels: of the images; must be 3, as in spandrel's class.

    Shapes:
        lr (B, 3, H, W) in [0, 1], any size -> (B, 3, scale H, scale W), not clamped.

    Raises:
        UserError: a scale or count that does not exist.
    """

    def __init__(
        self,
        scale: int,
        features: int = 64,
        blocks: int = 28,
        kernel: int = 17,
        attention: bool = True,
        layer_norm: bool = False,
        channels: int = 3,
    ) -> None:
        shuffle_factors(scale)  # only the check: the shuffle is done at once
        check_counts(features=features, blocks=blocks)
        check_integer("Argument `kernel`", kernel, 1, odd=True)
        if features % NORM_GROUPS:
            raise UserError(
                f"Argument `features` must be a multiple of {NORM_GROUPS}, but got {features}."
            )
        if channels != 3:
            raise UserError(
                f"Argument `channels` must be 3 for realplksr, but got {channels!r}: span, omnisr, "
                "dat_light and fdat take other numbers."
            )
        super().__init__(
            dim=features,
            n_blocks=blocks,
            upscaling_factor=scale,
            kernel_size=kernel,
            use_ea=attention,
            norm_groups=NORM_GROUPS,
            layer_norm=layer_norm,
        )
        self.scale, self.channels = scale, channels
        self.repeat_op = partial(_repeated, times=scale**2)  # ncnn lacks torch's

    def train(self, mode: bool = True) -> RealPLKSR:
        """Set the mode; large-kernel layers stay in training mode, in which nothing is in place."""
        super().train(mode)
        for block in self.feats:
            kernel: Any = getattr(block, "lk", None)
            if kernel is not None:  # in eval mode it overwrites in place what a gradient needs
                kernel.training = True
        return self

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        sr: Tensor = super().forward(lr)
        return sr


def _repeated(image: Tensor, times: int) -> Tensor:
    """Repeat each channel (N, C, H, W) -> (N, C * times, H, W); copies follow each other."""
    wide = image.unsqueeze(2).expand(-1, -1, times, -1, -1)
    return wide.reshape(image.shape[0], image.shape[1] * times, *image.shape[2:])
