"""EDSR, the upscaler of most unpaired super-resolution methods."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_counts, shuffle_factors

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
RANGE = 255.0  # published weights expect 8-bit values


class _MeanShift(nn.Module):
    """Subtract or add the mean of DIV2K by a fixed 1x1 convolution.

    The matrix is kept, and not only the mean, because published state dicts hold it; in buffers,
    because as parameters it would be trained (an optimiser is not stopped by
    ``module.requires_grad = False``).
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, sign: int, channels: int) -> None:
        super().__init__()
        mean = torch.tensor(DIV2K_MEAN)
        if channels != 3:  # of RGB, and of no other sensor
            mean = mean.mean().repeat(channels)
        self.register_buffer("weight", torch.eye(channels)[..., None, None].clone())
        self.register_buffer("bias", sign * RANGE * mean)

    def forward(self, image: Tensor) -> Tensor:
        # Values of up to 255 have steps of 1 in bfloat16: outside of autocast.
        with torch.autocast(image.device.type, enabled=False):
            return F.conv2d(image.to(self.weight.dtype), self.weight, self.bias)


class _ResidualBlock(nn.Module):
    def __init__(self, features: int, residual_scale: float) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, 1, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.body(x), alpha=self.residual_scale)


class EDSR(nn.Module):
    """EDSR (Lim et al. 2017, arXiv:1707.02921, fig. 3 and table 1).

    ``sr = tail(body(head(lr)) + head(lr))`` with residual blocks without normalisation, on 8-bit
    values minus the mean of DIV2K; images enter and leave in [0, 1]. The keys are those of the
    authors' PyTorch code, and their weights load: baseline 64 features, 16 blocks; large 256, 32
    and residual scale 0.1. The two mean shifts are buffers, which no optimiser moves.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels.
        blocks: residual blocks.
        residual_scale: the factor of each block's residual; 0.1 keeps wide networks stable.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, 3, H, W) in [0, 1] -> (B, 3, scale H, scale W), not clamped.

    Raises:
        UserError: a scale or count that does not exist.
    """

    def __init__(
        self,
        scale: int,
        features: int = 64,
        blocks: int = 16,
        residual_scale: float = 1.0,
        channels: int = 3,
    ) -> None:
        super().__init__()
        check_counts(features=features, blocks=blocks, channels=channels)
        self.channels = channels
        upsampling: list[nn.Module] = []
        for factor in shuffle_factors(scale):
            upsampling += [
                nn.Conv2d(features, features * factor**2, 3, 1, 1),
                nn.PixelShuffle(factor),
            ]
        self.sub_mean, self.add_mean = _MeanShift(-1, channels), _MeanShift(1, channels)
        self.head = nn.Sequential(nn.Conv2d(channels, features, 3, 1, 1))
        self.body = nn.Sequential(
            *[_ResidualBlock(features, residual_scale) for _ in range(blocks)],
            nn.Conv2d(features, features, 3, 1, 1),
        )
        self.tail = nn.Sequential(
            nn.Sequential(*upsampling), nn.Conv2d(features, channels, 3, 1, 1)
        )

    def spread(self, weights: dict[str, Tensor], source: int, given: Mapping[str, Tensor]) -> None:
        """Compensate RGB weights in place for the mean of DIV2K, which differs between channels.

        Other images have the mean of the three subtracted.
        """
        if source == 3 != self.channels:
            mean = RANGE * torch.tensor(DIV2K_MEAN)
            inputs = given["head.0.weight"].float().sum((2, 3)) @ (mean.mean() - mean)
            weights["head.0.bias"] = weights["head.0.bias"] + inputs

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        head = self.head(self.sub_mean(lr * RANGE))
        return self.add_mean(self.tail(head + self.body(head))) / RANGE
