"""A critic that sees an image through a pretrained classifier which is not trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from wildsr.argument import check_counts
from wildsr.error import UserError
from wildsr.network.front.front import Chain
from wildsr.network.trunk.encoder import load_encoder, weighted_layers


class FrozenCritic(nn.Module):
    """Small critics on the features of a frozen, pretrained classifier, one for each layer.

    Projected GANs (Sauer et al. 2021, arXiv:2111.01007) judge features in place of pixels, so that
    nothing but the last layers has to be learned. Each head is a 3x3 convolution to ``features``
    channels, LeakyReLU 0.2 and a 1x1 convolution to the logits, with spectral normalisation. Two
    differences: the layers are not mixed with each other by random projections, and there is no
    augmentation (take ``front`` for that).

    The trunk's parameters are neither trained nor saved with the critic. Its features are divided
    by their standard deviation on photos, so that the heads start alike.

    Args:
        features: channels of each head.
        layers: of the trunk, as in :class:`wildsr.network.trunk.encoder.Encoder`.
        trunk: one of :data:`wildsr.network.trunk.files.TRUNKS`. Pip installs the weights of
            "vgg16_shift_tolerant" and "alexnet_shift_tolerant" (whose first layer hardly sees
            patterns of a few pixels: docs/metrics.md).
        front: what the image passes first (see wildsr.network.front.front); three channels after
            it, or one, which is repeated.

    Shapes:
        image (B, 3, H, W), [0, 1] -> a tuple of logits (B, 1, h, w), one for each layer.

    Raises:
        MissingWeights: the trunk's file is not on disk.
        UserError: a count, layer or front that does not exist; a front that leaves other channels;
            an image too small for a layer.
    """

    def __init__(
        self,
        features: int = 64,
        layers: Sequence[str] = ("relu1_2", "relu2_2", "relu3_3"),
        trunk: str = "vgg16_shift_tolerant",
        front: nn.Module | Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        check_counts(features=features)
        self.front, self.encoder = Chain(front), load_encoder(trunk)
        if self.front.channels(3) not in (1, 3):
            raise UserError(
                "Argument `front` must leave one or three channels for a pretrained trunk, but it "
                f"makes {self.front.channels(3)} of three."
            )
        self.layers = tuple(weighted_layers(self.encoder, dict.fromkeys(layers, 1.0)))
        self.heads = nn.ModuleDict(
            {
                layer: nn.ModuleList(
                    [
                        spectral_norm(nn.Conv2d(self.encoder.channels(layer), features, 3, 1, 1)),
                        spectral_norm(nn.Conv2d(features, 1, 1)),
                    ]
                )
                for layer in self.layers
            }
        )

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Judge ``image`` (B, 3, H, W) at each layer: logits (B, 1, h, w) each."""
        hidden = zip(self.layers, self.features(image), strict=True)
        return tuple(self._head(layer)[1](x) for layer, x in hidden)

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """The activations of all heads for ``image`` (B, 3, H, W): (B, features, h, w) each."""
        seen = self.encoder(self.front(image))
        # The last layer first: an image too small for it is refused before anything is computed.
        found = {layer: seen[layer] for layer in reversed(self.layers)}
        return tuple(F.leaky_relu(self._head(layer)[0](found[layer]), 0.2) for layer in self.layers)

    def _head(self, layer: str) -> nn.ModuleList:
        return cast(nn.ModuleList, self.heads[layer])
