"""LapSRN, the Laplacian pyramid network, which doubles the size level by level."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts
from wildsr.error import UserError

LEVELS = {2: 1, 4: 2, 8: 3}
SLOPE = 0.2


def _bilinear(layer: nn.ConvTranspose2d) -> nn.ConvTranspose2d:
    """Let a 4x4 transposed convolution of stride 2 upsample every channel bilinearly."""
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        layer.weight.zero_()
        for channel in range(layer.in_channels):
            # One kernel a group: weights are (inputs, outputs / groups, 4, 4).
            layer.weight[channel, channel % layer.weight.shape[1]] = torch.outer(taps, taps)
        if layer.bias is not None:
            layer.bias.zero_()
    return layer


class _Level(nn.Module):
    """Both branches from one size to twice that size."""

    def __init__(self, features: int, depth: int, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [nn.Conv2d(features, features, 3, 1, 1), nn.LeakyReLU(SLOPE, inplace=True)]
        upsample = _bilinear(nn.ConvTranspose2d(features, features, 4, 2, 1))
        self.embed = nn.Sequential(*layers, upsample, nn.LeakyReLU(SLOPE, inplace=True))
        self.residual = nn.Conv2d(features, channels, 3, 1, 1)
        image = nn.ConvTranspose2d(channels, channels, 4, 2, 1, groups=channels, bias=False)
        self.upsample = _bilinear(image)

    def forward(self, features: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.embed(features)
        # The image goes through this branch alone: bfloat16 would round it to 8 bits and less.
        with torch.autocast(image.device.type, enabled=False):
            base = self.upsample(image.to(self.upsample.weight.dtype))
        return features, base + self.residual(features)


class LapSRN(nn.Module):
    """LapSRN (Lai et al. 2017, arXiv:1704.03915, fig. 1 and section 3).

    Level ``s`` doubles features ``f`` and image ``x`` (``x_0 = lr``, ``f_0`` one convolution of
    it):

        ``f_s = up(convolutions(f_{s-1}))``,  ``x_s = up_image(x_{s-1}) + residual(f_s)``

    Every level has its own weights, as in that paper. Convolutions are 3x3, with leaky ReLUs (slope
    0.2) except after the residual's; the upsamplings are 4x4 transposed convolutions of stride 2,
    initialised as bilinear interpolation. They pad with zeros: in a fresh network the border (1, 3
    and 7 pixels at the scales 2, 4 and 8) is darker than bilinear interpolation. The first
    convolution is initialised with a standard deviation of 0.001, as in the authors' code, the
    others by He et al. 2015 (arXiv:1502.01852): a fresh network is close to the bilinear pyramid.

    With ``L`` levels, ``C`` features and depth ``d`` there are
    ``28 C + L (d (9 C^2 + C) + 16 C^2 + C + 27 C + 3 + 48)`` parameters, 875,110 at scale 4. The
    published 812 K are those of a luminance network without biases (812,768) and of the authors'
    code, which upsamples features by 3x3 where the paper says 4x4. RGB takes three times the
    weights in the first convolution, the residual's, and the image's upsampling, which treats each
    channel separately.

    Args:
        scale: 2, 4 or 8.
        features: channels.
        depth: convolutions of each level.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, 3, H, W) in [0, 1] -> (B, 3, scale H, scale W), not clamped.

    Raises:
        UserError: a scale or count that does not exist.
    """

    def __init__(self, scale: int, features: int = 64, depth: int = 10, channels: int = 3) -> None:
        super().__init__()
        if not isinstance(scale, int) or scale not in LEVELS:
            raise UserError(f"Argument `scale` must be one of {list(LEVELS)}, but got {scale!r}.")
        check_counts(features=features, depth=depth, channels=channels)
        self.channels = channels
        self.first = nn.Sequential(
            nn.Conv2d(channels, features, 3, 1, 1), nn.LeakyReLU(SLOPE, inplace=True)
        )
        self.pyramid = nn.ModuleList(
            [_Level(features, depth, channels) for _ in range(LEVELS[scale])]
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.first[0].weight, std=1e-3)  # type: ignore[arg-type]

    def levels(self, lr: Tensor) -> tuple[Tensor, ...]:
        """Upscale ``lr`` (B, 3, H, W) to every level, (B, 3, 2H, 2W), (B, 3, 4H, 4W), ...

        For losses at each size.
        """
        features, image = self.first(lr), lr
        images = []
        for level in self.pyramid:
            features, image = level(features, image)
            images.append(image)
        return tuple(images)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W): returns the last of ``levels``, (B, 3, scale H, scale W)."""
        return self.levels(lr)[-1]
