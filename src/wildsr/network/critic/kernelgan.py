"""KernelGAN's critic, which judges patches of 7 x 7 pixels."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from wildsr.argument import check_counts
from wildsr.error import UserError
from wildsr.network.critic.critic import Critic


class KernelGANCritic(Critic):
    """The critic of KernelGAN (Bell-Kligler et al. 2019, arXiv:1909.06581, section 4.2).

    A convolution without activation, then ``layers`` times 1 x 1 convolution, batch normalisation
    and ReLU, then 1 x 1 to the logits; spectral normalisation on every convolution, no padding: a
    logit sees ``kernel`` x ``kernel`` pixels, and none beyond the image. The paper's final sigmoid
    is part of the loss here (``kind: absolute``).

    Args:
        features: channels.
        layers: 1 x 1 convolutions with normalisation.
        kernel: side of the first convolution.
        in_channels: of the image.
        front: what the image passes first (see wildsr.network.front.front).

    Shapes:
        image (B, in_channels, H, W), [0, 1] -> logits (B, 1, H - kernel + 1, W - kernel + 1).

    Raises:
        UserError: a count or front that does not exist; an image smaller than the kernel.
    """

    def __init__(
        self,
        features: int = 64,
        layers: int = 5,
        kernel: int = 7,
        in_channels: int = 3,
        front: nn.Module | Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__(front)
        check_counts(features=features, layers=layers, kernel=kernel, in_channels=in_channels)
        self.kernel = kernel
        channels = self.front.channels(in_channels)
        self.first = spectral_norm(nn.Conv2d(channels, features, kernel))
        self.middle = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(features, features, 1)),
                nn.BatchNorm2d(features),
                nn.ReLU(),
            )
            for _ in range(layers)
        )
        self.last = spectral_norm(nn.Conv2d(features, 1, 1))

    def stages(self, x: Tensor) -> list[Tensor]:
        """The feature map (B, features, h, w) after each layer, then the logits (B, 1, h, w).

        Raises:
            UserError: an image smaller than the kernel.
        """
        if min(x.shape[-2:]) < self.kernel:
            raise UserError(
                f"Argument `image` must have at least {self.kernel} pixels a side for this critic, "
                f"but got {tuple(x.shape)} at the first layer; raise `data.patch`."
            )
        found = [self.first(x)]
        for layer in self.middle:
            found.append(layer(found[-1]))
        return [*found, self.last(found[-1])]
