"""SRCNN, the first convolutional upscaler: three layers after bicubic interpolation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_counts
from wildsr.error import UserError
from wildsr.network.upscaler.interpolation import Interpolation


class SRCNN(nn.Module):
    """SRCNN (Dong et al. 2014, arXiv:1501.00092, eqs. 1 to 3).

    ``sr = conv3(relu(conv2(relu(conv1(bicubic(lr))))))``. The default is the 9-5-5 network that
    the journal version compares with others; kernels (9, 1, 5) are its basic network. There is no
    skip connection, as in the paper: the layers have to learn the identity, too.

    Differences from the paper: three colour channels at once (its main results are on luminance;
    sect. 4.5 tries RGB too), zero padding in every layer (the paper trains without padding), and
    weights initialised by He et al. 2015 (arXiv:1502.01852) with zero biases. The paper
    initialises with a standard deviation of 0.001; three such layers reduce the signal to 1e-5, and
    the output stays gray for a long time.

    Args:
        scale: 1, 2, 3, 4 or 8.
        kernels: the sides of the three kernels, odd.
        features: the channels after the first and the second layer.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, 3, H, W) in [0, 1] -> (B, 3, scale H, scale W), not clamped.

    Raises:
        UserError: a scale that does not exist, kernels that are not three odd numbers, features
            that are not two counts.
    """

    def __init__(
        self,
        scale: int,
        kernels: Sequence[int] = (9, 5, 5),
        features: Sequence[int] = (64, 32),
        channels: int = 3,
    ) -> None:
        super().__init__()
        _check_lengths(kernels=(kernels, 3), features=(features, 2))
        if any(kernel % 2 == 0 for kernel in kernels):
            raise UserError(f"Argument `kernels` must be odd numbers, but got {list(kernels)}.")
        check_counts(channels=channels)
        self.channels, self.upsample = channels, Interpolation(scale, "bicubic")
        first, second, third = kernels
        patches, mapped = features
        self.conv1 = nn.Conv2d(channels, patches, first, padding=first // 2)
        self.conv2 = nn.Conv2d(patches, mapped, second, padding=second // 2)
        self.conv3 = nn.Conv2d(mapped, channels, third, padding=third // 2)
        for layer in (self.conv1, self.conv2, self.conv3):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        x = F.relu(self.conv1(self.upsample(lr)), inplace=True)
        return self.conv3(F.relu(self.conv2(x), inplace=True))


def _check_lengths(**arguments: tuple[Sequence[int], int]) -> None:
    """Refuse arguments that are not so many counts."""
    for name, (values, length) in arguments.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != length:
            raise UserError(f"Argument `{name}` must be {length} integers, but got {values!r}.")
        for value in values:
            check_counts(**{name: value})
