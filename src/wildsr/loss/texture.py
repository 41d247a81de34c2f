"""Texture (style) loss: distance of Gram matrices of two images' features."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from wildsr.error import UserError, unknown
from wildsr.loss.pixel import comparable
from wildsr.network.trunk.encoder import Features, load_encoder_or_stand_in, weighted_layers
from wildsr.pixels import at_least_float32


def gram(features: Tensor) -> Tensor:
    """Gram matrix of features: F F^T / (C H W), where F has C rows of H W values.

    Args:
        features: (..., C, H, W).

    Returns:
        (..., C, C), in float32 at least.
    """
    channels, height, width = features.shape[-3:]
    rows = at_least_float32(features).flatten(-2)
    with torch.autocast(rows.device.type, enabled=False):
        return rows @ rows.mT / (channels * height * width)


def windows(features: Tensor, side: int) -> Tensor:
    """Cut (B, C, H, W) into non-overlapping squares, (B, n, C, side, side).

    Rows and columns at the far ends that fill no square are left out.
    """
    squares = features.unfold(2, side, side).unfold(3, side, side)  # (B, C, rows, columns, s, s)
    return squares.flatten(2, 3).transpose(1, 2)


def absolute(difference: Tensor) -> Tensor:
    """Mean absolute entry of a difference of Gram matrices (..., C, C)."""
    return difference.abs().mean()


def frobenius(difference: Tensor) -> Tensor:
    """Squared Frobenius norm of a difference of Gram matrices (..., C, C), averaged."""
    return difference.square().sum((-2, -1)).mean()


KINDS = {"frobenius": frobenius, "l1": absolute}


class Texture(nn.Module):
    """Texture (style) loss: sum over layers of weight * d(G(prediction) - G(target)).

    G = F F^T / (C H W) is the Gram matrix of a layer (:func:`gram`). "frobenius" takes the squared
    Frobenius norm per image: 4 times the layer loss of Gatys et al. 2015 (arXiv:1505.07376, section
    3; arXiv:1508.06576, eq. 4), who have G without the divisor and the factor 1 / (4 C^2 H^2 W^2).
    "l1" takes the mean absolute entry.

    EnhanceNet (Sajjadi et al. 2017, arXiv:1612.07919, section 4.2.3) compares G within squares of
    16 pixels instead of the whole image, so that texture stays in its place: ``patch: 16``. (It
    also normalises the features to a mean of 1, which is not done here.) This needs C x C numbers
    for each square, 1 MB with 512 channels: use early layers.

    No gradient reaches the target. Losses with the same trunk share its forward passes.

    Args:
        layers: layer -> weight, at least 0; names as in
            :class:`wildsr.network.trunk.encoder.Encoder`.
        trunk: "vgg19" (what papers use), "vgg16", "alexnet", "squeezenet1_1", or the shift-tolerant
            "vgg16_shift_tolerant", "alexnet_shift_tolerant". If torchvision's weights of a VGG are
            not on disk, the shift-tolerant VGG16 is used instead: see
            :func:`wildsr.network.trunk.encoder.load_encoder_or_stand_in`.
        kind: "frobenius" or "l1".
        patch: side of the squares in image pixels, a multiple of each layer's stride; remainders
            at the right and the bottom are left out. None for the whole image.

    Raises:
        MissingWeights: neither the trunk's weights nor those of its stand-in are on disk.
        UserError: an unknown layer, trunk or kind; a patch that a layer's stride does not divide;
            images too small for a layer or a patch.
    """

    def __init__(
        self,
        layers: Mapping[str, float],
        trunk: str = "vgg19",
        kind: str = "frobenius",
        patch: int | None = None,
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise unknown("Argument `kind`", kind, KINDS)
        self.trunk = trunk  # that was asked for
        self.encoder, layers = load_encoder_or_stand_in(trunk, layers)
        self.layers, self.kind = weighted_layers(self.encoder, layers), kind
        self.patch = patch
        for layer in self.layers if patch is not None else ():
            stride = self.encoder.stride(layer)
            if not (isinstance(patch, int) and patch > 0 and patch % stride == 0):
                raise UserError(
                    f"Argument `patch` must be a multiple of {stride}, the stride of layer "
                    f"{layer!r}, but got {patch!r}."
                )

    def forward(self, prediction: Features, target: Features) -> Tensor:
        """A scalar, 0 for equal images; of images of one shape (B, 3, H, W) or (B, 1, H, W).

        Raises:
            UserError: shapes that differ; images smaller than the patch or too small for a layer.
        """
        comparable(prediction.image, target.image)
        shape = tuple(prediction.image.shape)
        if self.patch is not None and min(shape[2:]) < self.patch:
            raise UserError(
                f"Argument `prediction` must have sides of at least {self.patch} pixels, the "
                f"patch, but got {shape}."
            )
        target, distance = target.detach(), KINDS[self.kind]
        parts = [
            weight * distance(self._gram(prediction, layer) - self._gram(target, layer))
            for layer, weight in self.layers.items()
        ]
        return sum(parts[1:], parts[0])

    def _gram(self, features: Features, layer: str) -> Tensor:
        if self.patch is None:
            return gram(features[layer])
        return gram(windows(features[layer], self.patch // self.encoder.stride(layer)))
