"""SPAN, a fast convolutional upscaler with parameter-free attention."""

from __future__ import annotations

from spandrel.architectures.SPAN import SPAN as Original  # noqa: N811 (a class)
from torch import Tensor

from wildsr.argument import check_counts, shuffle_factors


class SPAN(Original):
    """Swift parameter-free attention network (Wan et al. 2024, arXiv:2311.12770).

    Six blocks of three convolutions, each block weighted by the sigmoid of its own output. In
    training each convolution is a sum of branches, which are merged into one 3x3 convolution in
    eval mode. The class and the keys are spandrel's; the input is not normalised (the key
    ``no_norm`` tells other tools), as in models that are trained from scratch.

    Args:
        scale: 1, 2, 3, 4 or 8 (published: 2 and 4).
        features: channels, 48 as published; the paper's small one has 28.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, C, H, W) in [0, 1], any size -> (B, C, scale H, scale W), not clamped.

    Raises:
        UserError: a scale or count that does not exist.
    """

    def __init__(self, scale: int, features: int = 48, channels: int = 3) -> None:
        shuffle_factors(scale)  # only the check: the shuffle is done at once
        check_counts(features=features, channels=channels)
        super().__init__(
            num_in_ch=channels,
            num_out_ch=channels,
            feature_channels=features,
            upscale=scale,
            norm=False,
        )
        self.scale, self.channels = scale, channels
        for name, parameter in self.named_parameters():
            if ".eval_conv." in name:  # computed from the branches: nothing to train
                parameter.requires_grad_(False)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, C, H, W)."""
        sr: Tensor = super().forward(lr)
        return sr
