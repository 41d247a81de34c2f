"""RealPLKSR, an upscaler of partial large kernels."""

from __future__ import annotations

from functools import partial
from typing import Any

from spandrel.architectures.PLKSR import RealPLKSR as Original
from torch import Tensor

from wildsr.argument import check_counts, check_integer, shuffle_factors
from wildsr.error import UserError

NORM_GROUPS = 4  # not an argument: other tools cannot tell it from weights


class RealPLKSR(Original):
    """Partial large kernel network for real photos (Lee et al. 2024, arXiv:2404.11848; neosr's).

    Blocks that mix channels by 3x3 convolutions, convolve a share of them by a large kernel, and
    weight each element; ``sr = shuffle(features + lr repeated)``. The class and the keys are
    spandrel's. Images have three channels.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels inside, a multiple of 4.
        blocks: their number.
        kernel: side of the large kernel, odd.
        attention: weight each element.
        layer_norm: normalise each pixel instead of groups of channels over the whole image: a
            photo in tiles is then what it is as a whole, and half precision is safe.

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
    ) -> None:
        shuffle_factors(scale)  # only the check: the shuffle is done at once
        check_counts(features=features, blocks=blocks)
        check_integer("Argument `kernel`", kernel, 1, odd=True)
        if features % NORM_GROUPS:
            raise UserError(
                f"Argument `features` must be a multiple of {NORM_GROUPS}, but got {features}."
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
        self.scale = scale
        self.repeat_op = partial(_repeated, times=scale**2)  # ncnn lacks torch's

    def train(self, mode: bool = True) -> RealPLKSR:
        """Set the mode; large kernels keep that of training, which writes over nothing."""
        super().train(mode)
        for block in self.feats:
            kernel: Any = getattr(block, "lk", None)
            if kernel is not None:  # else it would write into what a gradient needs
                kernel.training = True
        return self

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        sr: Tensor = super().forward(lr)
        return sr


def _repeated(image: Tensor, times: int) -> Tensor:
    """Each channel so many times, one beside the other."""
    wide = image.unsqueeze(2).expand(-1, -1, times, -1, -1)
    return wide.reshape(image.shape[0], image.shape[1] * times, *image.shape[2:])
