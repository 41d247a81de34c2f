"""SRResNet, the generator of SRGAN, without batch normalisation (MSRResNet)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_counts, shuffle_factors


class _ResidualBlock(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, 1, 1)
        self.conv2 = nn.Conv2d(features, features, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


class SRResNet(nn.Module):
    """SRResNet (Ledig et al. 2017, arXiv:1609.04802, fig. 4) in the form known as MSRResNet.

    The paper has batch normalisation; this form has none, adds the bilinear upsampling of the
    input, and has leaky ReLUs (slope 0.1) outside the blocks. Batch normalisation does harm here:
    an upscaler learned without pairs is trained on generated images and used on real ones, whose
    statistics differ. The keys are BasicSR's (``conv_first``, ``body.0.conv1``, ``upconv1``,
    ``conv_hr``, ``conv_last``), whose weights load at the scales 2, 3 and 4; 1 and 8 follow the
    same rule. All convolutions are initialised with a tenth of He's standard deviation and no bias,
    as in BasicSR: a fresh network is close to bilinear upsampling.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels.
        blocks: residual blocks.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, 3, H, W) in [0, 1] -> (B, 3, scale H, scale W), not clamped.

    Raises:
        UserError: a scale or count that does not exist.
    """

    def __init__(self, scale: int, features: int = 64, blocks: int = 16, channels: int = 3) -> None:
        super().__init__()
        self.scale, self.factors = scale, shuffle_factors(scale)
        check_counts(features=features, blocks=blocks, channels=channels)
        self.channels = channels
        self.conv_first = nn.Conv2d(channels, features, 3, 1, 1)
        self.body = nn.Sequential(*[_ResidualBlock(features) for _ in range(blocks)])
        for number, factor in enumerate(self.factors, start=1):
            self.add_module(f"upconv{number}", nn.Conv2d(features, features * factor**2, 3, 1, 1))
        self.conv_hr = nn.Conv2d(features, features, 3, 1, 1)
        self.conv_last = nn.Conv2d(features, channels, 3, 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                module.weight.data.mul_(0.1)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        x = self.body(F.leaky_relu(self.conv_first(lr), 0.1))
        for number, factor in enumerate(self.factors, start=1):
            x = getattr(self, f"upconv{number}")(x)
            x = F.leaky_relu(F.pixel_shuffle(x, factor), 0.1)
        residual = self.conv_last(F.leaky_relu(self.conv_hr(x), 0.1))
        size = [side * self.scale for side in lr.shape[-2:]]
        return residual + F.interpolate(lr, size=size, mode="bilinear", align_corners=False)
