"""DISTS, structure and texture similarity in VGG features, by torchmetrics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.loss.pixel import comparable
from wildsr.network.trunk.files import Frozen, reading

TRUNK = "vgg16"


def load_dists() -> nn.Module:
    """Load the network of DISTS: VGG16 from torchvision, layer weights from torchmetrics.

    Raises:
        MissingWeights: VGG16's weights are absent or cannot be read; see
            :func:`wildsr.network.trunk.files.reading`.
        UserError: torchmetrics is too old to have DISTS.
    """
    try:
        from torchmetrics.functional.image.dists import DISTSNetwork
    except ImportError as error:
        raise UserError("DISTS needs torchmetrics 1.7 or newer; this one has none.") from error
    with reading(TRUNK):
        network: nn.Module = DISTSNetwork()
    return network


class DISTS(nn.Module):
    """Deep image structure and texture similarity, as a distance; 0 for equal images.

    Ding et al. 2020 (arXiv:2004.07728): 1 - sum over layers and channels of
    alpha * texture(means) + beta * structure(covariances) of VGG16's features and of the image
    itself; the mean over the batch, by torchmetrics, in float32 at least. It tolerates resampled
    texture. Its VGG16 has L2 pooling instead of max pooling, so it cannot share forward passes with
    other losses.

    No gradient reaches the target. The network is not registered as a submodule, so its parameters
    are neither trained nor saved.

    Raises:
        MissingWeights: VGG16's weights are not on disk.
        UserError: two shapes; neither 1 nor 3 channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self._network = Frozen(load_dists())

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, 0 for equal images; (B, 3, H, W) or (B, 1, H, W), [0, 1], of one shape.

        Raises:
            UserError: shapes that differ; neither 1 nor 3 channels.
        """
        prediction, target = comparable(prediction, target.detach())
        if prediction.ndim != 4 or prediction.shape[1] not in (1, 3):
            raise UserError(
                "Argument `prediction` must be (B, 3, H, W) or (B, 1, H, W) for DISTS, "
                f"but got {tuple(prediction.shape)}."
            )
        x, y = (image.expand(-1, 3, -1, -1) for image in (prediction, target))
        with torch.autocast(x.device.type, enabled=False):
            # `require_grad` is torchmetrics' name for "not in inference mode".
            distance: Tensor = self._network.on(x)(x, y.to(x), require_grad=True)
        return distance.mean()
