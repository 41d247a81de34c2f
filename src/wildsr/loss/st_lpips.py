"""ST-LPIPS, a shift-tolerant perceptual distance whose weights pip installs."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_integer
from wildsr.error import UserError, unknown
from wildsr.loss.perceptual import unit
from wildsr.loss.pixel import comparable
from wildsr.network.trunk import shift_tolerant
from wildsr.network.trunk.encoder import Features, load_encoder, weighted_layers
from wildsr.network.trunk.files import Frozen, reading
from wildsr.pixels import at_least_float32

NETS = {"vgg": "vgg16_shift_tolerant", "alex": "alexnet_shift_tolerant"}  # their trunks


class STLPIPS(nn.Module):
    """Shift-tolerant LPIPS, version ST0.0; not comparable with LPIPS.

    Ghildyal and Liu 2022 (arXiv:2207.13686): the sum over layers of the mean over positions of
    sum_c w_c (unit phi_c(prediction) - unit phi_c(target))^2, as LPIPS (Zhang et al. 2018, eq. 1),
    phi an anti-aliased network; the mean over the batch. In float32 at least.

    Do not train on "alex" alone: a checkerboard with a period of 2 pixels is invisible to it, and
    one of 4 pixels on a soft image *lowers* its distance to the sharp one. "vgg" sees both; of its
    layers only ``relu2_2`` is deceived in the same way (docs/metrics.md has the numbers). ``shift``
    moves both images by the same random distance before the network, so that a pattern cannot hide
    at a position to which the network is less sensitive.

    No gradient reaches the target. The network is not registered as a submodule, so its parameters
    are neither trained nor saved: see :class:`wildsr.network.trunk.files.Frozen`.

    Args:
        net: "vgg" or "alex".
        layers: layer -> factor, at least 0: ``relu1_2, relu2_2, relu3_3, relu4_3, relu5_3`` of
            "vgg", ``relu1`` to ``relu5`` of "alex". None: all, with factor 1.
        shift: the largest random shift in pixels, in both directions; 0 for none. With ``shift``
            or ``crop`` no forward pass is shared with other losses.
        crop: side in pixels of a random square crop of each image, to save time on a CPU; images
            smaller than that are used whole. None: always the whole image.

    Raises:
        MissingWeights: the package stlpips-pytorch is not installed.
        UserError: an unknown net or layer; a negative shift; images too small for a layer.
    """

    def __init__(
        self,
        net: str = "vgg",
        layers: Mapping[str, float] | None = None,
        shift: float = 0.0,
        crop: int | None = None,
    ) -> None:
        super().__init__()
        if net not in NETS:
            raise unknown("Argument `net`", net, NETS)
        if isinstance(shift, bool) or not isinstance(shift, int | float) or not 0 <= shift < 64:
            raise UserError(f"Argument `shift` must be from 0 to 63 pixels, but got {shift!r}.")
        check_integer("Argument `crop`", crop, 16, null=True)
        trunk = NETS[net]
        heads = shift_tolerant.TRUNKS[trunk].heads
        for layer in layers or ():
            if layer not in heads:
                raise unknown("Argument `layers`: each", layer, heads)
        self.net, self.shift, self.crop, self.encoder = net, float(shift), crop, load_encoder(trunk)
        self.layers = weighted_layers(
            self.encoder, dict.fromkeys(heads, 1.0) if layers is None else layers
        )
        self._heads = _heads(trunk)

    def forward(self, prediction: Features, target: Features) -> Tensor:
        """A scalar, 0 for equal images; of images of one shape (B, 3, H, W) or (B, 1, H, W)."""
        comparable(prediction.image, target.image)
        if self.shift or self.crop:
            images = [prediction.image, target.image.detach()]
            if self.crop:
                images = cropped(images, self.crop)
            if self.shift:
                by = self.shift * (2 * torch.rand(len(images[0]), 2) - 1)
                images = [shifted(image, by) for image in images]
            prediction, target = map(self.encoder, images)
        distances = [distance.mean() for distance in self.maps(prediction, target).values()]
        return torch.stack(distances).sum()

    def maps(self, prediction: Features, target: Features) -> dict[str, Tensor]:
        """The distance at every position of each layer, (B, h, w), by layer."""
        target = target.detach()
        found = {}
        # The last layer first: images too small for it are refused before anything is computed.
        for layer, factor in reversed(self.layers.items()):
            a, b = unit(prediction[layer]), unit(target[layer])
            head: Tensor = self._heads.on(a).get_parameter(layer)
            found[layer] = factor * ((a - b).square() * head).sum(1)
        return dict(reversed(found.items()))


def cropped(images: Sequence[Tensor], side: int) -> list[Tensor]:
    """Cut the same random square from several batches of one shape: (B, C, side, side) each.

    Each image of a batch has its own place; sides shorter than ``side`` are kept whole.
    """
    batch, _, height, width = images[0].shape
    tall, wide = min(side, height), min(side, width)
    tops = torch.randint(height - tall + 1, (batch,)).tolist()
    lefts = torch.randint(width - wide + 1, (batch,)).tolist()
    places = list(enumerate(zip(tops, lefts, strict=True)))
    return [
        torch.stack([image[i, :, y : y + tall, x : x + wide] for i, (y, x) in places])
        for image in images
    ]


def shifted(image: Tensor, by: Tensor) -> Tensor:
    """Shift each image by its own number of pixels, by bicubic interpolation.

    Args:
        image: (B, C, H, W).
        by: (B, 2), pixels down and to the right. Borders are mirrored.

    Returns:
        (B, C, H, W), in float32 at least.
    """
    x = at_least_float32(image)
    height, width = x.shape[2:]
    whole = torch.eye(2, 3, dtype=x.dtype).repeat(len(x), 1, 1)
    # Coordinates go from -1 to 1 between the corners; the grid holds the source of each pixel.
    sides = torch.tensor([width, height], dtype=x.dtype)
    whole[:, :, 2] = -2 * by.to(x.dtype).flip(1) / sides
    grid = F.affine_grid(whole.to(x.device), list(x.shape), align_corners=False)
    with torch.autocast(x.device.type, enabled=False):
        return F.grid_sample(x, grid, "bicubic", "reflection", align_corners=False)


@functools.cache
def _heads(trunk: str) -> Frozen[nn.ParameterDict]:
    """The weights (1, C, 1, 1) of each layer, under the layer's name; one for all losses."""
    with reading(trunk):
        _, weights = shift_tolerant.load(trunk)
    named = dict(zip(shift_tolerant.TRUNKS[trunk].heads, weights, strict=True))
    return Frozen(nn.ParameterDict(named))
