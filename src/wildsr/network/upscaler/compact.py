"""The compact network of Real-ESRGAN, the fastest upscaler here."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_counts, shuffle_factors
from wildsr.error import unknown

ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "prelu": lambda features: nn.PReLU(features),
    "relu": lambda features: nn.ReLU(inplace=True),
    "leaky_relu": lambda features: nn.LeakyReLU(0.1, inplace=True),
}


class Compact(nn.Module):
    """SRVGGNetCompact, from the code of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833).

    3x3 convolutions and activations at LR resolution, one pixel shuffle at the end, and the
    nearest upsampling of the input added: ``sr = shuffle(body(lr)) + nearest(lr)``. Keys are the
    published ones (``body.0.weight``, ...), so that published weights load here and ours load
    elsewhere. Other tools recover the layout from the keys of PReLU; they do not open the other
    activations.

    A fresh network returns nearly the nearest-upsampled input (about a hundredth off): the last
    convolution is initialised with small weights (standard deviation 0.001) and zero bias. The
    others are initialised by He et al. 2015 (arXiv:1502.01852, eq. 15) for slopes of 0.25, with
    zero bias, because with torch's default initialisation the signal fades from layer to layer and
    training starts more slowly.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels of every layer but the last.
        convolutions: how many between the first and the last (published: 16 and 32).
        activation: "prelu" (published; one slope a channel), "relu" or "leaky_relu" (slope 0.1).
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, 3, H, W) in [0, 1] -> (B, 3, scale H, scale W), not clamped.

    Raises:
        UserError: a scale, count or activation that does not exist.
    """

    def __init__(
        self,
        scale: int,
        features: int = 64,
        convolutions: int = 16,
        activation: str = "prelu",
        channels: int = 3,
    ) -> None:
        super().__init__()
        shuffle_factors(scale)  # only the check: the shuffle is done at once
        check_counts(features=features, convolutions=convolutions, channels=channels)
        if activation not in ACTIVATIONS:
            raise unknown("Argument `activation`", activation, ACTIVATIONS)
        self.scale, self.channels = scale, channels
        layers: list[nn.Module] = []
        for inputs in (channels, *[features] * convolutions):
            layers += [nn.Conv2d(inputs, features, 3, 1, 1), ACTIVATIONS[activation](features)]
        self.body = nn.Sequential(*layers, nn.Conv2d(features, channels * scale**2, 3, 1, 1))
        for layer in self.body:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.25)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.body[-1].weight, std=1e-3)  # type: ignore[arg-type]

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        residual = F.pixel_shuffle(self.body(lr), self.scale)
        return residual + F.interpolate(lr, scale_factor=self.scale, mode="nearest")
