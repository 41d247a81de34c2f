"""The U-Net critic of Real-ESRGAN: one logit for every pixel."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from wildsr.argument import check_counts
from wildsr.network.critic.critic import Critic
from wildsr.network.padding import pad_to

MULTIPLE = 8  # three halvings


class UNetCritic(Critic):
    """U-Net discriminator with spectral normalisation (Wang et al. 2021, arXiv:2107.10833).

    Three strided convolutions down, three bilinear upsamplings with a convolution each and the
    features of the same resolution added, two more convolutions and one to the logits; LeakyReLU
    0.2. Spectral normalisation on all but the first and the last, which alone have a bias.

    Args:
        features: channels at full resolution; doubled at each halving.
        in_channels: of the image.
        front: what the image passes first (see wildsr.network.front.front).

    Shapes:
        image (B, in_channels, H, W), [0, 1], of any size (the border pixels are repeated to the
        right and below up to a multiple of 8, and the logits cut) -> logits (B, 1, H, W), or of the
        size that the front-end makes.

    Raises:
        UserError: a count that is not a positive integer; something that is not a front-end.
    """

    def __init__(
        self,
        features: int = 64,
        in_channels: int = 3,
        front: nn.Module | Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__(front)
        check_counts(features=features, in_channels=in_channels)
        f = features

        def down(inputs: int, outputs: int) -> nn.Module:
            return spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False))

        def same(inputs: int, outputs: int) -> nn.Module:
            return spectral_norm(nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False))

        self.conv0 = nn.Conv2d(self.front.channels(in_channels), f, 3, 1, 1)
        self.conv1, self.conv2, self.conv3 = down(f, 2 * f), down(2 * f, 4 * f), down(4 * f, 8 * f)
        self.conv4, self.conv5, self.conv6 = same(8 * f, 4 * f), same(4 * f, 2 * f), same(2 * f, f)
        self.conv7, self.conv8 = same(f, f), same(f, f)
        self.conv9 = nn.Conv2d(f, 1, 3, 1, 1)

    def stages(self, x: Tensor) -> list[Tensor]:
        """The map after each convolution (and skip), still padded; then the logits (B, 1, H, W)."""
        height, width = x.shape[-2:]
        full = _activate(self.conv0(pad_to(x, MULTIPLE)))
        half = _activate(self.conv1(full))
        quarter = _activate(self.conv2(half))
        eighth = _activate(self.conv3(quarter))
        up4 = _activate(self.conv4(_double(eighth))) + quarter
        up5 = _activate(self.conv5(_double(up4))) + half
        up6 = _activate(self.conv6(_double(up5))) + full
        same7 = _activate(self.conv7(up6))
        same8 = _activate(self.conv8(same7))
        logits: Tensor = self.conv9(same8)[..., :height, :width]
        return [full, half, quarter, eighth, up4, up5, up6, same7, same8, logits]


def _activate(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
