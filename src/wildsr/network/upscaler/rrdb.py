"""The network of ESRGAN and Real-ESRGAN: residual-in-residual dense blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_counts, shuffle_factors
from wildsr.network.padding import pad_to

RESIDUAL_SCALE = 0.2  # of the published code, dense blocks and groups of them alike
_UNSHUFFLE = {1: 4, 2: 2}  # scales 1 and 2 are the network of scale 4 on a smaller, deeper image
_NEAREST = {3: (3,), 8: (2, 2, 2)}  # the other scales are (2, 2)


def _activate(x: Tensor) -> Tensor:
    # In place: a convolution's gradient does not need its output.
    return F.leaky_relu(x, 0.2, inplace=True)


class _DenseBlock(nn.Module):
    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, growth, 3, 1, 1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, 1, 1)
        self.conv3 = nn.Conv2d(features + 2 * growth, growth, 3, 1, 1)
        self.conv4 = nn.Conv2d(features + 3 * growth, growth, 3, 1, 1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, 1, 1)
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data.mul_(0.1)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        known = [x, _activate(self.conv1(x))]
        for layer in (self.conv2, self.conv3, self.conv4):
            known.append(_activate(layer(torch.cat(known, dim=1))))
        return torch.add(x, self.conv5(torch.cat(known, dim=1)), alpha=RESIDUAL_SCALE)


class _ResidualGroup(nn.Module):
    """Three dense blocks and a residual around them: the RRDB (fig. 4)."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = _DenseBlock(features, growth)
        self.rdb2 = _DenseBlock(features, growth)
        self.rdb3 = _DenseBlock(features, growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=RESIDUAL_SCALE)


class RRDBNet(nn.Module):
    """RRDBNet (Wang et al. 2018, arXiv:1809.00219, sect. 3.1; Real-ESRGAN: arXiv:2107.10833).

    ``x = first(lr); x = x + body(x)``, then one nearest upsampling and convolution for each factor
    of the scale, and two convolutions at HR resolution. In a dense block each layer sees all
    earlier ones, and 0.2 times the last one is added to its input; likewise for each group of three
    blocks. Scales 1 and 2 are those of Real-ESRGAN: pixels are unshuffled by 4 or 2 into channels,
    and the network of scale 4 follows; sizes that do not divide are padded by repeating the border
    and cropped afterwards.

    Keys are those of BasicSR and Real-ESRGAN (``conv_first``, ``body.0.rdb1.conv1``, ...), whose
    weights load at the scales 1, 2 and 4; ours open in other tools with ``growth=32`` at these
    scales and 8. Scale 3 has a layout of our own (one nearest upsampling by 3), whose keys other
    tools take for scale 2. Convolutions of dense blocks are initialised with a tenth of He's
    standard deviation and no bias, as in the published code, which keeps deep networks stable.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels between blocks.
        blocks: groups of three dense blocks (published: 23; 6 for anime).
        growth: channels that each layer of a dense block adds.
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
        blocks: int = 23,
        growth: int = 32,
        channels: int = 3,
    ) -> None:
        super().__init__()
        shuffle_factors(scale)  # only the check
        check_counts(features=features, blocks=blocks, growth=growth, channels=channels)
        self.channels = channels
        self.scale, self.factors = scale, _NEAREST.get(scale, (2, 2))
        self.unshuffle = _UNSHUFFLE.get(scale, 1)
        self.conv_first = nn.Conv2d(channels * self.unshuffle**2, features, 3, 1, 1)
        self.body = nn.Sequential(*[_ResidualGroup(features, growth) for _ in range(blocks)])
        self.conv_body = nn.Conv2d(features, features, 3, 1, 1)
        for number in range(1, len(self.factors) + 1):
            self.add_module(f"conv_up{number}", nn.Conv2d(features, features, 3, 1, 1))
        self.conv_hr = nn.Conv2d(features, features, 3, 1, 1)
        self.conv_last = nn.Conv2d(features, channels, 3, 1, 1)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        height, width = (side * self.scale for side in lr.shape[-2:])
        x = lr
        if self.unshuffle > 1:
            x = F.pixel_unshuffle(pad_to(lr, self.unshuffle), self.unshuffle)
        x = self.conv_first(x)
        x = x + self.conv_body(self.body(x))
        for number, factor in enumerate(self.factors, start=1):
            x = F.interpolate(x, scale_factor=factor, mode="nearest")
            x = _activate(getattr(self, f"conv_up{number}")(x))
        return self.conv_last(_activate(self.conv_hr(x)))[..., :height, :width]
