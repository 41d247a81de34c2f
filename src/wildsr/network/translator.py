"""Translators between clean LR and real LR, at one size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.network.residual import ResidualTrunk


class Translator(nn.Module):
    """A residual network from LR to LR that starts as the identity.

    ``lr + trunk(lr, draw)``.

    The trunk is that of EDSR (Lim et al. 2017, arXiv:1707.02921) without its upsampling, the last
    convolution 0 at the start. With a random input map it can also add noise, which a deterministic
    function of the image cannot (Maeda 2020, arXiv:2002.11397).

    Args:
        features: channels.
        blocks: residual blocks.
        noise_channels: of the random map; 0 for a deterministic network.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, 3, H, W) in [0, 1], draw (B, noise_channels, H, W) -> (B, 3, H, W), not clamped.

    Raises:
        UserError: a count that does not exist; no ``draw`` although ``noise_channels`` > 0.
    """

    def __init__(
        self, features: int = 64, blocks: int = 8, noise_channels: int = 0, channels: int = 3
    ) -> None:
        super().__init__()
        if noise_channels < 0:
            raise UserError(
                f"Argument `noise_channels` must be 0 or more, but got {noise_channels!r}."
            )
        self.noise_channels, self.channels = noise_channels, channels
        self.trunk = ResidualTrunk(channels + noise_channels, features, blocks, channels)

    def draws(self, lr: Tensor) -> Tensor:
        """Draw standard normal numbers (B, noise_channels, H, W), one for every pixel."""
        batch, _, height, width = lr.shape
        return lr.new_empty(batch, self.noise_channels, height, width).normal_()

    def forward(self, lr: Tensor, draw: Tensor | None = None) -> Tensor:
        """Translate ``lr`` (B, 3, H, W) to the other domain, (B, 3, H, W), not clamped.

        Raises:
            UserError: no ``draw`` although ``noise_channels`` is above 0.
        """
        if self.noise_channels and draw is None:
            raise UserError(
                "Argument `noise_channels` must be 0 for a translator that is used without draws, "
                f"but got {self.noise_channels}."
            )
        seen = lr if draw is None else torch.cat([lr, draw.to(lr.dtype)], dim=1)
        translated: Tensor = lr + self.trunk(seen)
        return translated
