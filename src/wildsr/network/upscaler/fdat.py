"""FDAT, a fast transformer from the upscaling community."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spandrel.architectures.FDAT import FDAT as Original  # noqa: N811 (a class)
from torch import Tensor

from wildsr.argument import check_counts, check_integer, shuffle_factors
from wildsr.error import UserError, unknown
from wildsr.network.padding import pad_to

WINDOW = 8
UPSAMPLERS = ("pixelshuffle", "pixelshuffledirect", "nearest+conv", "transpose+conv")


class FDAT(Original):
    """Fast dual aggregation transformer (traiNNer-redux, 2025), after DAT (arXiv:2308.03364).

    Groups of blocks that attend alternately in windows of 8x8 pixels and over channels. The class,
    the keys and the sizes (tiny, light, medium) are those of spandrel and traiNNer-redux.

    Args:
        scale: 1, 2, 3, 4 or, with the first two upsamplers, 8.
        features: channels inside, a multiple of ``heads``.
        groups: residual groups.
        depth: pairs of blocks in each group, one over space and one over channels.
        heads: of the attention.
        expansion: hidden width of the MLPs, in multiples of ``features``.
        drop_path: stochastic depth: probability that the last block is skipped in training.
        upsampler: pixelshuffle, pixelshuffledirect, nearest+conv or transpose+conv.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, C, H, W) in [0, 1], of any size (the border is repeated up to multiples of 8, and cut
        back) -> (B, C, scale H, scale W), not clamped.

    Raises:
        UserError: a scale, count or upsampler that does not exist.
    """

    def __init__(
        self,
        scale: int,
        features: int = 120,
        groups: int = 4,
        depth: int = 3,
        heads: int = 4,
        expansion: float = 2.0,
        drop_path: float = 0.1,
        upsampler: str = "transpose+conv",
        channels: int = 3,
    ) -> None:
        shuffle_factors(scale)  # only the check
        check_counts(features=features, groups=groups, depth=depth, heads=heads, channels=channels)
        check_integer("Argument `features`", features, 8, 255)  # a key holds it in 8 bits
        if features % heads:
            raise UserError(
                f"Argument `features` must be a multiple of `heads` ({heads}), but got {features}."
            )
        if upsampler not in UPSAMPLERS:
            raise unknown("Argument `upsampler`", upsampler, UPSAMPLERS)
        if scale == 8 and upsampler not in UPSAMPLERS[:2]:
            raise UserError(
                f"Argument `upsampler` must be one of {list(UPSAMPLERS[:2])} at scale 8, but got "
                f"{upsampler!r}."
            )
        if not (isinstance(drop_path, int | float) and 0 <= drop_path < 1):
            raise UserError(
                f"Argument `drop_path` must be a number from 0 to below 1, but got {drop_path!r}."
            )
        super().__init__(
            num_in_ch=channels,
            num_out_ch=channels,
            scale=scale,
            embed_dim=features,
            num_groups=groups,
            depth_per_group=depth,
            num_heads=heads,
            window_size=WINDOW,
            ffn_expansion_ratio=expansion,
            drop_path_rate=drop_path,
            upsampler_type=upsampler,
        )
        self.scale, self.channels = scale, channels
        for block in (block for group in self.groups for block in group.blocks):
            # Each block has two gates and uses one; the other is there for its keys
            unused = block.inter.sg if block.btype == "spatial" else block.inter.cg
            unused.requires_grad_(False)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Load weights as torch does; ``state_dict`` is not changed, unlike in spandrel's class."""
        return super().load_state_dict(dict(state_dict), *args, **kwargs)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, C, H, W)."""
        height, width = (side * self.scale for side in lr.shape[-2:])
        sr: Tensor = super().forward(pad_to(lr, WINDOW))
        return sr[..., :height, :width]
