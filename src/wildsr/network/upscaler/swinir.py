"""The lightweight SwinIR, a transformer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from spandrel.architectures.SwinIR import SwinIR
from torch import Tensor

from wildsr.argument import check_counts, shuffle_factors
from wildsr.error import UserError
from wildsr.network.padding import pad_to

WINDOW = 8  # not an argument: other tools conclude from 7 that values are 8-bit
DIV2K_MEAN = (0.4488, 0.4371, 0.4040)  # which spandrel's class subtracts from RGB
MEAN = sum(DIV2K_MEAN) / 3


class SwinIRLight(SwinIR):
    """SwinIR for lightweight super-resolution (Liang et al. 2021, arXiv:2108.10257).

    ``sr = mean + shuffle(conv(body(f) + f))``, ``f = conv(lr - mean)``, with the mean of DIV2K and
    a body of residual groups of transformer layers: attention in windows of 8x8 pixels, shifted by
    4 in every other layer, and an MLP of twice the width. The class is spandrel's, and so are the
    keys, which are the authors': published weights load, and other tools open ours.

    Images whose sides are not multiples of 8 are padded by repeating the last row and column, and
    the result is cropped. Other tools mirror instead (impossible for sides of 1 to 4 pixels), so
    their pixels at the right and lower border may differ.

    The light network has 910,152 parameters at scale 2, 918,267 at 3 and 929,628 at 4. The paper
    says 878 K, 886 K and 897 K: 32,460 fewer at each, the number of weights in one of its 3x3
    convolutions.

    Args:
        scale: 1, 2, 3, 4 or 8 (published: 2, 3 and 4).
        features: channels, a multiple of ``heads``.
        groups: residual groups of transformer layers (RSTB), each with a convolution.
        blocks: transformer layers of each group.
        heads: of each layer's attention.
        drop_path: stochastic depth: probability that the last layer is skipped in training, rising
            linearly from 0 at the first. Results in training mode are random unless it is 0.
        image_size: side of the LR images for which attention masks are precomputed: the crop size
            in training is fastest, other sizes work as well. A multiple of 8, at least 16;
            published weights have 64.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, 3, H, W) in [0, 1] -> (B, 3, scale H, scale W), not clamped.

    Raises:
        UserError: a scale, count or size that does not exist.
    """

    def __init__(
        self,
        scale: int,
        features: int = 60,
        groups: int = 4,
        blocks: int = 6,
        heads: int = 6,
        drop_path: float = 0.1,
        image_size: int = 64,
        channels: int = 3,
    ) -> None:
        shuffle_factors(scale)  # only the check: the shuffle is done at once
        check_counts(
            features=features, groups=groups, blocks=blocks, heads=heads, image_size=image_size
        )
        check_counts(channels=channels)
        if features % heads:
            raise UserError(
                f"Argument `features` must be a multiple of `heads` ({heads}), but got {features}."
            )
        if not (isinstance(drop_path, int | float) and 0 <= drop_path < 1):
            raise UserError(
                f"Argument `drop_path` must be a number from 0 to below 1, but got {drop_path!r}."
            )
        if image_size % WINDOW or image_size < 2 * WINDOW:  # one window could not be shifted
            raise UserError(
                f"Argument `image_size` must be a multiple of {WINDOW} and at least {2 * WINDOW}, "
                f"but got {image_size}."
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.meshgrid")  # inside of spandrel
            super().__init__(
                img_size=image_size,
                in_chans=channels,
                window_size=WINDOW,
                embed_dim=features,
                depths=[blocks] * groups,
                num_heads=[heads] * groups,
                mlp_ratio=2.0,
                drop_path_rate=drop_path,
                upscale=scale,
                upsampler="pixelshuffledirect",
            )
        self.scale, self.channels = scale, channels

    def spread(self, weights: dict[str, Tensor], source: int, given: Mapping[str, Tensor]) -> None:
        """Compensate RGB weights in place for the DIV2K mean, which is subtracted from RGB only.

        With other channels the mean is folded into the first and last biases.
        """
        if source == 3 != self.channels:
            inputs = given["conv_first.weight"].float().sum((2, 3)) @ torch.tensor(DIV2K_MEAN)
            weights["conv_first.bias"] = weights["conv_first.bias"] - inputs
            weights["upsample.0.bias"] = weights["upsample.0.bias"] + MEAN

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        height, width = (side * self.scale for side in lr.shape[-2:])
        return super().forward(pad_to(lr, WINDOW))[..., :height, :width]
