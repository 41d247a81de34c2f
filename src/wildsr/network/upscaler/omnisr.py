"""OmniSR, a lightweight transformer with attention over space and channels."""

from __future__ import annotations

from spandrel.architectures.OmniSR import OmniSR as Original
from torch import Tensor

from wildsr.argument import check_counts, shuffle_factors
from wildsr.network.padding import pad_to

WINDOW = 8  # as published


class OmniSR(Original):
    """Omni aggregation network for lightweight super-resolution (Wang et al. 2023, CVPR).

    Attention over space and channels, within windows of 8x8 pixels and across windows (between
    pixels at the same place in each). The class and the keys are spandrel's.

    Args:
        scale: 1, 2, 3, 4 or 8 (published: 2, 3 and 4).
        features: channels inside.
        groups: residual groups, 5 as published.
        blocks: of each group.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, C, H, W) in [0, 1], of any size (the border is repeated up to multiples of 8, and cut
        back) -> (B, C, scale H, scale W), not clamped.

    Raises:
        UserError: a scale or count that does not exist.
    """

    def __init__(
        self, scale: int, features: int = 64, groups: int = 5, blocks: int = 1, channels: int = 3
    ) -> None:
        shuffle_factors(scale)  # only the check: the shuffle is done at once
        check_counts(features=features, groups=groups, blocks=blocks, channels=channels)
        super().__init__(
            num_in_ch=channels,
            num_out_ch=channels,
            num_feat=features,
            block_num=blocks,
            res_num=groups,
            window_size=WINDOW,
            up_scale=scale,
        )
        self.scale, self.channels = scale, channels

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, C, H, W)."""
        height, width = (side * self.scale for side in lr.shape[-2:])
        sr: Tensor = super().forward(pad_to(lr, WINDOW, 2 * WINDOW))
        return sr[..., :height, :width]
