"""LPIPS, a learned perceptual distance."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from wildsr.error import unknown
from wildsr.loss.pixel import comparable
from wildsr.network.trunk.encoder import Features, load_encoder
from wildsr.network.trunk.files import Frozen, MissingWeights

__all__ = ["LPIPS", "NETS", "MissingWeights"]

# The trunk of each network, and the layers that it compares.
NETS = {
    "alex": ("alexnet", ("relu1", "relu2", "relu3", "relu4", "relu5")),
    "vgg": ("vgg16", ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")),
    "squeeze": (
        "squeezenet1_1",
        ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9"),
    ),
}


def unit(features: Tensor) -> Tensor:
    """Normalise features (B, C, H, W) to length 1 at each position; 0 stays 0."""
    return features / (torch.linalg.vector_norm(features, dim=1, keepdim=True) + 1e-10)


class LPIPS(nn.Module):
    """Learned perceptual image patch similarity, version 0.1.

    Zhang et al. 2018 (arXiv:1801.03924), eq. 1: the sum over layers of the mean over positions of
    sum_c w_c (unit phi_c(prediction) - unit phi_c(target))^2, with the ``lpips`` package's w; the
    mean over the batch. Its normalisation of images is ImageNet's, so that it shares passes with
    other losses on its trunk. Computed in float32 at least.

    No gradient reaches the target. The network is not registered as a submodule, so its parameters
    are neither trained nor saved: see :class:`wildsr.network.trunk.files.Frozen`.

    Args:
        net: "alex" (what papers report), "vgg" (what papers train with) or "squeeze".

    Raises:
        MissingWeights: the trunk's weights are not on disk.
        UserError: an unknown trunk; images too small for it.
    """

    def __init__(self, net: str = "alex") -> None:
        super().__init__()
        if net not in NETS:
            raise unknown("Argument `net`", net, NETS)
        trunk, self.layers = NETS[net]
        self.net, self.encoder = net, load_encoder(trunk)
        self.encoder.expect(self.layers)
        self._linear = Frozen(_linear_layers(net, len(self.layers)))

    def forward(self, prediction: Features, target: Features) -> Tensor:
        """A scalar, 0 for equal images; of images of one shape (B, 3, H, W) or (B, 1, H, W)."""
        comparable(prediction.image, target.image)
        target = target.detach()
        # The last layer first: images too small for it are refused before anything is computed.
        a = {layer: unit(prediction[layer]) for layer in reversed(self.layers)}
        b = {layer: unit(target[layer]) for layer in reversed(self.layers)}
        weights = self._linear.on(a[self.layers[0]])
        distances = [
            ((a[layer] - b[layer]).square() * weight).sum(1).mean()
            for layer, weight in zip(self.layers, weights, strict=True)
        ]
        return torch.stack(distances).sum()


def _linear_layers(net: str, count: int) -> nn.ParameterList:
    """The package's weights of each layer, (1, C, 1, 1)."""
    import lpips  # slow to import

    file = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth"
    state = torch.load(file, map_location="cpu", weights_only=True)
    return nn.ParameterList([state[f"lin{i}.model.1.weight"] for i in range(count)])
