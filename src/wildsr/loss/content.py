"""Content (perceptual) loss: distance of two images in a classifier's features."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from wildsr.error import unknown
from wildsr.loss.pixel import comparable, l1, l2
from wildsr.network.trunk.encoder import Features, load_encoder_or_stand_in, weighted_layers

KINDS = {"l1": l1, "l2": l2}


class Content(nn.Module):
    """Content (VGG, feature) loss: weighted distances of two images in a classifier's features.

    The sum over layers of weight * mean d(phi(x), phi(y)).

    phi is a layer's output for the image normalised by ImageNet's mean and deviation, x the
    prediction, y the target; d is the absolute difference or its square. Johnson et al. 2016
    (arXiv:1603.08155), eq. 2. SRGAN takes ``relu5_4`` of VGG19 and l2 (Ledig et al. 2017,
    arXiv:1609.04802, eq. 5); ESRGAN features before their activation, ``conv5_4``, and l1 (Wang et
    al. 2018, arXiv:1809.00219, section 3.3); Real-ESRGAN five layers, ``{conv1_2: 0.1, conv2_2:
    0.1, conv3_4: 1, conv4_4: 1, conv5_4: 1}``, and l1. If a paper rescales features (SRGAN by
    1 / 12.75), include that in the weight.

    No gradient reaches the target. Losses with the same trunk share its forward passes.

    Args:
        layers: layer -> weight, at least 0; names as in
            :class:`wildsr.network.trunk.encoder.Encoder`.
        trunk: "vgg19" (what papers use), "vgg16", "alexnet", "squeezenet1_1", or the shift-tolerant
            "vgg16_shift_tolerant", "alexnet_shift_tolerant". If torchvision's weights of a VGG are
            not on disk, the shift-tolerant VGG16 is used instead: see
            :func:`wildsr.network.trunk.encoder.load_encoder_or_stand_in`.
        kind: "l1" or "l2".

    Raises:
        MissingWeights: neither the trunk's weights nor those of its stand-in are on disk.
        UserError: an unknown layer, trunk or kind; images too small for a layer.
    """

    def __init__(self, layers: Mapping[str, float], trunk: str = "vgg19", kind: str = "l1") -> None:
        super().__init__()
        if kind not in KINDS:
            raise unknown("Argument `kind`", kind, KINDS)
        self.trunk = trunk  # that was asked for
        self.encoder, layers = load_encoder_or_stand_in(trunk, layers)
        self.layers, self.kind = weighted_layers(self.encoder, layers), kind

    def forward(self, prediction: Features, target: Features) -> Tensor:
        """A scalar, 0 for equal images; of images of one shape (B, 3, H, W) or (B, 1, H, W)."""
        comparable(prediction.image, target.image)
        target, distance = target.detach(), KINDS[self.kind]
        parts = [w * distance(prediction[name], target[name]) for name, w in self.layers.items()]
        return sum(parts[1:], parts[0])
