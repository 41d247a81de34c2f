"""D-DBPN, the deep back-projection network."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts, shuffle_factors


def _conv(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding)
    return nn.Sequential(OrderedDict(conv=layer, act=nn.PReLU()))


def _bottleneck(stages: int, features: int) -> nn.Module:
    """Back from the features of several stages to those of one."""
    return _conv(stages * features, features, 1, 1, 0) if stages > 1 else nn.Identity()


def _down(features: int, scale: int) -> nn.Sequential:
    return _conv(features, features, scale + 4, scale, 2)


def _up(features: int, scale: int) -> nn.Sequential:
    layer = nn.ConvTranspose2d(features, features, scale + 4, scale, 2)
    return nn.Sequential(OrderedDict(deconv=layer, act=nn.PReLU()))


class _UpProjection(nn.Module):
    """``h = up1(l)``, ``error = down2(h) - l``, ``H = h + up3(error)``."""

    def __init__(self, features: int, scale: int, stages: int) -> None:
        super().__init__()
        self.conv = _bottleneck(stages, features)
        self.up_conv1 = _up(features, scale)
        self.up_conv2 = _down(features, scale)
        self.up_conv3 = _up(features, scale)

    def forward(self, x: Tensor) -> Tensor:
        low = self.conv(x)
        high = self.up_conv1(low)
        return high + self.up_conv3(self.up_conv2(high) - low)


class _DownProjection(nn.Module):
    """``l = down1(h)``, ``error = up2(l) - h``, ``L = l + down3(error)``."""

    def __init__(self, features: int, scale: int, stages: int) -> None:
        super().__init__()
        self.conv = _bottleneck(stages, features)
        self.down_conv1 = _down(features, scale)
        self.down_conv2 = _up(features, scale)
        self.down_conv3 = _down(features, scale)

    def forward(self, x: Tensor) -> Tensor:
        high = self.conv(x)
        low = self.down_conv1(high)
        return low + self.down_conv3(self.down_conv2(low) - high)


class DBPN(nn.Module):
    """D-DBPN (Haris et al. 2018, arXiv:1803.02735, section 3).

    Up- and down-projections alternate; each is corrected by the error of projecting its result
    back (back-projection). From the second down- and the third up-projection on, a projection sees
    the features of all earlier ones of its input size, newest first, through a 1x1 convolution. A
    3x3 convolution makes the image from the features of all up-projections. The keys are those of
    the authors' code (``feat0.conv.weight``, ``up1.up_conv1.deconv.weight``, ...), where 7 stages
    are D-DBPN, 10 DBPN-LL and 2 DBPN-S; there is no global skip connection.

    Up and down are (transposed) convolutions of kernel ``scale + 4``, stride ``scale`` and padding
    2: 6/2/2, 8/4/2 and 12/8/2 in the paper; the scales 1 and 3 follow the same rule. Sizes are
    exact for any image: ``scale (n - 1) - 4 + scale + 4 = scale n`` up, and back to ``n`` down.

    D-DBPN has 10,426,358 parameters at scale 4 (published: 10,426 K), 5,953,526 at 2 and
    23,205,878 at 8. Weights are initialised by He et al. 2015 (arXiv:1502.01852), biases by 0,
    slopes by 0.25. The output of a fresh network is far from the input, so training needs a loss
    that compares the two.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels of the projections.
        initial_features: channels of the first convolution.
        stages: number of up-projections; there is one down-projection fewer.
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
        initial_features: int = 256,
        stages: int = 7,
        channels: int = 3,
    ) -> None:
        super().__init__()
        shuffle_factors(scale)  # only the check
        check_counts(features=features, initial_features=initial_features, stages=stages)
        check_counts(channels=channels)
        self.stages, self.channels = stages, channels
        self.feat0 = _conv(channels, initial_features, 3, 1, 1)
        self.feat1 = _conv(initial_features, features, 1, 1, 0)
        self.up1 = _UpProjection(features, scale, 1)
        for stage in range(1, stages):
            self.add_module(f"down{stage}", _DownProjection(features, scale, stage))
            self.add_module(f"up{stage + 1}", _UpProjection(features, scale, stage))
        last = nn.Conv2d(stages * features, channels, 3, 1, 1)
        self.output_conv = nn.Sequential(OrderedDict(conv=last))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        high = self.up1(self.feat1(self.feat0(lr)))
        low: Tensor | None = None
        for stage in range(1, self.stages):
            new = getattr(self, f"down{stage}")(high)
            low = new if low is None else torch.cat((new, low), 1)
            high = torch.cat((getattr(self, f"up{stage + 1}")(low), high), 1)
        return self.output_conv(high)
