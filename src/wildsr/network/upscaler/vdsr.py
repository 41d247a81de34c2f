"""VDSR: twenty plain convolutions that predict the residual to bicubic interpolation."""

from __future__ import annotations

from torch import Tensor, nn

from wildsr.argument import check_counts
from wildsr.error import UserError
from wildsr.network.upscaler.interpolation import Interpolation


class VDSR(nn.Module):
    """VDSR (Kim et al. 2016, arXiv:1511.04587, sect. 3 and fig. 2).

    ``sr = bicubic(lr) + body(bicubic(lr))``, where the body is ``depth`` 3x3 convolutions with
    biases and ReLUs between them, all at HR resolution.

    Differences from the paper: three colour channels (the paper upscales the luminance, and the
    colours bicubically), and one network for one scale (the paper's serves the scales 2, 3 and 4,
    as its weights do not depend on the scale). Weights are initialised by He et al. 2015
    (arXiv:1502.01852) and biases by 0 as in the paper, but the last layer has a standard deviation
    of 0.001: a fresh network is within one or two hundredths of the bicubic image.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels of every layer but the last.
        depth: convolutions, 2 or more (published: 20).
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, 3, H, W) in [0, 1] -> (B, 3, scale H, scale W), not clamped.

    Raises:
        UserError: a scale or count that does not exist.
    """

    def __init__(self, scale: int, features: int = 64, depth: int = 20, channels: int = 3) -> None:
        super().__init__()
        check_counts(features=features, depth=depth, channels=channels)
        self.channels = channels
        if depth < 2:
            raise UserError(f"Argument `depth` must be at least 2, but got {depth}.")
        self.upsample = Interpolation(scale, "bicubic")
        layers: list[nn.Module] = []
        for inputs in (channels, *[features] * (depth - 2)):
            layers += [nn.Conv2d(inputs, features, 3, 1, 1), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers, nn.Conv2d(features, channels, 3, 1, 1))
        for layer in self.body:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.body[-1].weight, std=1e-3)  # type: ignore[arg-type]

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        base = self.upsample(lr)
        return base + self.body(base)
