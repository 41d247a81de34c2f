"""The residual degraders of DSGAN and DASR."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts, shuffle_factors
from wildsr.error import UserError


class _ResidualBlock(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, 1, 1)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(features, features, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv2(self.prelu(self.conv1(x)))
        return x + residual


class ResidualDegrader(nn.Module):
    """The generators of DSGAN (Fritsche et al. 2019) and of DASR (Wei et al. 2021).

    Convolution, residual blocks without normalisation, strided convolutions down to the LR size,
    convolution, sigmoid; PReLU between them. There is no skip connection from the image and no
    random input: a fresh network gives gray and has to learn the identity first, and an image is
    always degraded in the same way. With ``scale`` 1 and a downscaled input it is DSGAN's
    (arXiv:1911.07850); otherwise DASR's (arXiv:2004.01178), which downscales by itself. The keys
    are those of the authors' code.

    Args:
        scale: 1, 2, 3, 4 or 8; how many times it shrinks the image.
        features: channels.
        blocks: residual blocks, all at the size of the input.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        image (B, 3, scale h, scale w) in [0, 1] -> (B, 3, h, w) in [0, 1].

    Raises:
        UserError: a scale or count that does not exist; sides that ``scale`` does not divide.
    """

    def __init__(self, scale: int, features: int = 64, blocks: int = 8, channels: int = 3) -> None:
        super().__init__()
        check_counts(features=features, blocks=blocks, channels=channels)
        self.scale = scale
        self.block_input = nn.Sequential(nn.Conv2d(channels, features, 3, 1, 1), nn.PReLU())
        self.res_blocks = nn.ModuleList(_ResidualBlock(features) for _ in range(blocks))
        down: list[nn.Module] = []
        for factor in shuffle_factors(scale):
            down += [nn.Conv2d(features, features, 3, factor, 1), nn.PReLU()]
        self.down_sample = nn.Sequential(*down)
        self.block_output = nn.Conv2d(features, channels, 3, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Degrade ``image`` (B, 3, scale h, scale w) to (B, 3, h, w), in [0, 1].

        Raises:
            UserError: sides that ``scale`` does not divide.
        """
        if any(side % self.scale for side in image.shape[2:]):
            raise UserError(
                f"Argument `image` must have sides that are multiples of {self.scale}, the scale, "
                f"but got {tuple(image.shape)}."
            )
        x = self.block_input(image)
        for block in self.res_blocks:
            x = block(x)
        x = self.down_sample(x)
        # bfloat16 has steps of a whole level of 255 near white.
        with torch.autocast(image.device.type, enabled=False):
            x = self.block_output(x.to(self.block_output.weight.dtype))
            return torch.sigmoid(x)
