"""The light DAT, a transformer with alternating spatial and channel attention."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from spandrel.architectures.DAT import DAT as Original  # noqa: N811 (a class)
from torch import Tensor

from wildsr.argument import check_counts, check_integer, shuffle_factors
from wildsr.error import UserError
from wildsr.network.padding import pad_to


class DATLight(Original):
    """Dual aggregation transformer, light (Chen et al. 2023, arXiv:2308.03364).

    Blocks attend alternately in rectangular windows and over channels, each in parallel with a
    convolution; one pixel shuffle upscales at the end. It has batch normalisation, so training
    needs a batch of 2 or more. The class and the keys are spandrel's. The dynamic position bias is
    in effect constant, as in the published light model: it is computed through a layer
    normalisation of a single feature.

    Args:
        scale: 1, 2, 3, 4 or 8 (published: 2, 3 and 4).
        features: channels inside, 16 at least, a multiple of ``heads``.
        blocks: transformer blocks, in one group.
        heads: of the attention, even.
        split: height and width of the windows.
        expansion: hidden width of the MLPs, in multiples of ``features``.
        drop_path: stochastic depth: probability that the last block is skipped in training.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, C, H, W) in [0, 1], of any size (the border is repeated up to multiples of the
        windows, and cut back) -> (B, C, scale H, scale W), not clamped.

    Raises:
        UserError: a scale or count that does not exist.
    """

    def __init__(
        self,
        scale: int,
        features: int = 60,
        blocks: int = 18,
        heads: int = 6,
        split: Sequence[int] = (8, 32),
        expansion: int = 2,
        drop_path: float = 0.1,
        channels: int = 3,
    ) -> None:
        shuffle_factors(scale)  # only the check: the shuffle is done at once
        check_counts(
            features=features, blocks=blocks, heads=heads, expansion=expansion, channels=channels
        )
        check_integer("Argument `features`", features, 16)
        if heads % 2 or features % heads:
            raise UserError(
                f"Argument `heads` must be even and divide `features` ({features}), but got "
                f"{heads}."
            )
        if len(split) != 2 or max(split) % min(split):
            raise UserError(
                f"Argument `split` must be two numbers, one a multiple of the other, but got "
                f"{list(split)}."
            )
        if not (isinstance(drop_path, int | float) and 0 <= drop_path < 1):
            raise UserError(
                f"Argument `drop_path` must be a number from 0 to below 1, but got {drop_path!r}."
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.meshgrid")  # inside of spandrel
            super().__init__(
                in_chans=channels,
                embed_dim=features,
                split_size=list(split),
                depth=[blocks],
                num_heads=[heads],
                expansion_factor=float(expansion),
                drop_path_rate=drop_path,
                upscale=scale,
                resi_connection="3conv",
                upsampler="pixelshuffledirect",
            )
        self.scale, self.channels, self.multiple = scale, channels, max(split)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, C, H, W) to (B, C, scale H, scale W).

        Raises:
            UserError: a batch of 1 while training.
        """
        if self.training and lr.shape[0] < 2:
            raise UserError(
                "The network dat_light normalises by the batch: `data.batch` must be 2 or more to "
                "train it, but is 1."
            )
        height, width = (side * self.scale for side in lr.shape[-2:])
        sr: Tensor = super().forward(pad_to(lr, self.multiple))
        return sr[..., :height, :width]
