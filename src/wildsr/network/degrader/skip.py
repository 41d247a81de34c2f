"""A free-form network from HR to LR, with random inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_counts, shuffle_factors
from wildsr.degradation.bicubic import downscale
from wildsr.error import UserError
from wildsr.network.residual import ResidualTrunk


class SkipDegrader(nn.Module):
    """Bicubic downscaling plus a residual network, which is zero at the start.

    ``downscale(hr) + trunk(unshuffle(hr, noise map))``.

    HR pixels are folded into channels (``pixel_unshuffle``), so that the first 3x3 convolution
    sees 3 x 3 whole blocks of ``scale`` x ``scale`` HR pixels: like a convolution of kernel ``3
    scale`` and stride ``scale``, centred on the LR pixel at every scale. (A re-implementation of
    Bulat et al. keeps the top left pixel of each block instead, which aliases and is 1.5 HR pixels
    off at scale 4.)

    Random input as in the high-to-low network of Bulat et al. 2018 (arXiv:1807.11458): a normal
    vector passes a linear layer and becomes one more channel of the HR image. Their crops have 64
    x 64 pixels; here each cell of ``cell`` x ``cell`` pixels has its own vector, so that any size
    works.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels.
        blocks: residual blocks, at LR size.
        noise_size: length of the random vector; 0 for a deterministic network.
        cell: side of the region that one vector covers, in HR pixels.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        hr (B, 3, scale h, scale w) in [0, 1], draw (B, noise_size, ceil(scale h / cell), ceil(scale
        w / cell)) -> (B, 3, h, w), not clamped.

    Raises:
        UserError: a scale or count that does not exist; no ``draw`` although ``noise_size`` > 0.
    """

    def __init__(
        self,
        scale: int,
        features: int = 64,
        blocks: int = 8,
        noise_size: int = 0,
        cell: int = 64,
        channels: int = 3,
    ) -> None:
        super().__init__()
        shuffle_factors(scale)  # only the check
        check_counts(cell=cell, channels=channels)
        if noise_size < 0:
            raise UserError(f"Argument `noise_size` must be 0 or more, but got {noise_size!r}.")
        self.scale, self.noise_size, self.cell = scale, noise_size, cell
        if noise_size:
            self.spread = nn.Conv2d(noise_size, cell**2, 1)  # the linear layer, for every cell
        self.trunk = ResidualTrunk(
            (channels + bool(noise_size)) * scale**2, features, blocks, channels
        )

    def draws(self, hr: Tensor) -> Tensor:
        """Draw standard normal vectors (B, noise_size, rows of cells, columns of cells)."""
        batch, _, height, width = hr.shape
        rows, columns = (-(-side // self.cell) for side in (height, width))
        return hr.new_empty(batch, self.noise_size, rows, columns).normal_()

    def forward(self, hr: Tensor, draw: Tensor | None = None) -> Tensor:
        """Degrade ``hr`` (B, 3, H, W) to LR (B, 3, h, w), with the numbers of ``draws``.

        Raises:
            UserError: no ``draw`` although ``noise_size`` is above 0.
        """
        seen = hr
        if self.noise_size:
            if draw is None:
                raise UserError(
                    "Argument `noise_size` must be 0 for a degrader that is used without draws, "
                    f"but got {self.noise_size}."
                )
            noise = F.pixel_shuffle(self.spread(draw.to(hr.dtype)), self.cell)
            seen = torch.cat([hr, noise[..., : hr.shape[-2], : hr.shape[-1]]], dim=1)
        added: Tensor = self.trunk(F.pixel_unshuffle(seen, self.scale))
        return downscale(hr, self.scale) + added
