"""Pretrained feature extractors; losses on the same image share one forward pass."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from wildsr.error import UserError, unknown
from wildsr.network.trunk.files import Frozen, load_trunk, may_download, missing_trunk
from wildsr.network.trunk.shift_tolerant import BlurPool, MaxBlurPool
from wildsr.pixels import as_rgb, at_least_float32

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB in [0, 1]
KINDS = {
    "Conv2d": "conv",
    "Fire": "fire",
    "ReLU": "relu",
    "MaxPool2d": "pool",
    "MaxBlurPool": "pool",
    "BlurPool": "blur",
}


class Features:
    """The features of an image in an encoder, computed only up to the requested layer.

    ``features["conv5_4"]`` is the output (B, C, h, w) of that layer. The encoder continues from the
    last layer that was computed; outputs of requested layers, and of those that losses announced
    (:meth:`Encoder.expect`), are cached.

    Raises:
        UserError: an unknown layer; an image too small for it.
    """

    def __init__(self, encoder: Encoder, image: Tensor, known: Mapping[str, Tensor]) -> None:
        self.encoder, self.image = encoder, image
        self._known = dict(known)
        self._constant: Features | None = None

    def __getitem__(self, layer: str) -> Tensor:
        if layer not in self._known:
            self._known |= self.encoder.run(self.image, self._known, layer)
        return self._known[layer]

    def detach(self) -> Features:
        """The same features without gradient to the image; the same object each time.

        If the image needs no gradient, these are the features themselves (the encoder is frozen).
        """
        if not self.image.requires_grad:
            return self
        if self._constant is None:
            self._constant = Features(self.encoder, self.image.detach(), {})
        for layer, value in self._known.items():
            self._constant._known.setdefault(layer, value.detach())
        return self._constant


class Encoder:
    """The convolutional part of a pretrained classifier, frozen, as a feature extractor.

    Layers have the names of their papers: VGG's ``conv1_1, relu1_1, conv1_2, relu1_2, pool1, ...``
    (``conv5_4`` is before its activation, ``relu5_4`` after), AlexNet's ``conv1, relu1, pool1,
    ...``, SqueezeNet's ``conv1, relu1, pool1, fire2, ...``. The shift-tolerant ones have the same,
    and AlexNet's ``blur1`` between ``conv1`` and ``relu1``. It computes in float32, or float64 for
    images in float64, also under autocast, and on the image's device.

    Args:
        name: of the trunk, one of :data:`wildsr.network.trunk.files.TRUNKS`.
        features: its layers. Use :func:`load_encoder` for the published weights.
    """

    def __init__(self, name: str, features: nn.Sequential) -> None:
        self.name = name
        for module in features.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False  # in place it would overwrite the features before it
        named = dict(zip(_names(name, features), features, strict=True))
        self.layers = tuple(named)
        self._network = Frozen(nn.ModuleDict(named))
        self._smallest = {layer: self._smallest_side(layer) for layer in self.layers}
        self._expected: set[str] = set()
        self.bands: tuple[int, ...] | None = None  # channels that serve as red, green and blue

    def expect(self, layers: Iterable[str]) -> None:
        """Announce layers that a loss will ask for, so that a pass keeps their outputs.

        Any layer can be asked for at any time; a layer that a pass went through without keeping its
        output is computed again.

        Raises:
            UserError: an unknown layer.
        """
        layers = tuple(layers)
        for layer in layers:
            self._position(layer)
        self._expected |= set(layers)

    def __call__(self, image: Tensor) -> Features:
        """Wrap an image for feature extraction; nothing is computed yet.

        Args:
            image: (B, C, H, W), [0, 1]; a gray image's channel is repeated; of more than three
                channels, ``bands`` or else the first three are used.

        Raises:
            UserError: another number of dimensions.
        """
        if image.ndim != 4:
            raise UserError(
                f"An image for {self.name} must be (B, 3, H, W) or (B, 1, H, W), "
                f"but got {tuple(image.shape)}."
            )
        seen = image if image.shape[1] in (1, 3) else as_rgb(image, self.bands)
        return Features(self, seen, {})

    def run(self, image: Tensor, known: Mapping[str, Tensor], layer: str) -> dict[str, Tensor]:
        """Compute the features up to ``layer``, continuing from the nearest known ones.

        Args:
            image: (B, 3, H, W) or (B, 1, H, W), [0, 1].
            known: outputs of earlier layers by name, (B, C, h, w).
            layer: the last layer to compute.

        Returns:
            The outputs of ``layer`` and of the expected layers on the way.

        Raises:
            UserError: an unknown layer; an image too small for it.
        """
        last = self._position(layer)
        if min(image.shape[2:]) < self._smallest[layer]:
            raise UserError(
                f"Layer {layer!r} of {self.name} needs an image with sides of at least "
                f"{self._smallest[layer]} pixels, but got {tuple(image.shape)}."
            )
        start = max((i for i in range(last) if self.layers[i] in known), default=-1)
        new: dict[str, Tensor] = {}
        # Keep the graph even if the first loss needs no gradient: the next one may.
        with torch.enable_grad(), torch.autocast(image.device.type, enabled=False):
            x = _normalised(image) if start < 0 else known[self.layers[start]]
            network = self._network.on(x)
            for name in self.layers[start + 1 : last + 1]:
                x = network[name](x)
                if name == layer or name in self._expected:
                    new[name] = x
        return new

    def smallest_side(self, layer: str) -> int:
        """The shortest image side, in pixels, for which ``layer`` has an output.

        Raises:
            UserError: an unknown layer.
        """
        return self._smallest[self.layers[self._position(layer)]]

    def stride(self, layer: str) -> int:
        """The stride of ``layer``: image pixels from one feature to the next.

        Raises:
            UserError: an unknown layer.
        """
        return math.prod(_window(module)[1] for module in self._up_to(layer))

    def channels(self, layer: str) -> int:
        """The number of channels of ``layer``.

        Raises:
            UserError: an unknown layer.
        """
        # Of the last convolution before it; a Fire module concatenates the outputs of two.
        for module in reversed(self._up_to(layer)):
            made = (module,) if isinstance(module, nn.Conv2d) else module.children()
            outputs = [m.out_channels for m in made if isinstance(m, nn.Conv2d)]
            if outputs:
                return sum(outputs[-2:])
        raise AssertionError(f"{layer} has no convolution before it")

    def _position(self, layer: str) -> int:
        if layer not in self.layers:
            raise unknown(f"A layer of {self.name}", layer, self.layers)
        return self.layers.index(layer)

    def _up_to(self, layer: str) -> list[nn.Module]:
        layers = (self._network.original[n] for n in self.layers[: self._position(layer) + 1])
        return [p for m in layers for p in (m if isinstance(m, MaxBlurPool) else (m,))]

    def _smallest_side(self, layer: str) -> int:
        side = 1
        for module in reversed(self._up_to(layer)):
            kernel, stride, padding, partial = _window(module)
            # A pool in "ceil mode" also makes a pixel of a window that is partly outside.
            side = (side - 1 - partial) * stride + kernel - 2 * padding + partial
            side = max(side, padding + 1 if isinstance(module, BlurPool) else 1)  # to be mirrored
        return side


@functools.cache
def load_encoder(trunk: str) -> Encoder:
    """Load an encoder with its published weights, once in a process.

    Raises:
        MissingWeights: see :func:`wildsr.network.trunk.files.reading`.
        UserError: an unknown trunk.
    """
    return Encoder(trunk, load_trunk(trunk))


STAND_IN = "vgg16_shift_tolerant"  # replaces torchvision's VGG if its file is not on disk


def load_encoder_or_stand_in(
    trunk: str, layers: Mapping[str, float]
) -> tuple[Encoder, Mapping[str, float]]:
    """Load an encoder; if its weights are not on disk, one that needs no download.

    If the file of "vgg19" or "vgg16" is not on disk and WILDSR_DOWNLOAD is not 1, the VGG16 of
    ST-LPIPS is used: the same blocks, trained for a perceptual distance, its features divided by
    their standard deviation on photos (:func:`wildsr.network.trunk.shift_tolerant.load`). Layers
    that VGG16 lacks (``conv3_4``, ``relu5_4``, ...) become the third of their block. The loss has
    another magnitude, so published weights are only a starting point.

    Args:
        trunk: see :data:`wildsr.network.trunk.files.TRUNKS`.
        layers: layer -> weight.

    Returns:
        The encoder, and the layers and weights to use with it.

    Raises:
        MissingWeights: neither file is there.
        UserError: an unknown trunk.
    """
    absent = missing_trunk(trunk) and not may_download()
    if not (absent and trunk in ("vgg19", "vgg16")) or missing_trunk(STAND_IN):
        return load_encoder(trunk), layers
    if not isinstance(layers, Mapping):
        return load_encoder(STAND_IN), layers
    placed: dict[str, float] = {}
    for layer, weight in layers.items():
        name = layer.removesuffix("_4") + "_3" if _VGG19S_OWN.fullmatch(layer) else layer
        placed[name] = placed[name] + weight if name in placed else weight
    return load_encoder(STAND_IN), placed


_VGG19S_OWN = re.compile(r"(conv|relu)[345]_4")


def weighted_layers(encoder: Encoder, layers: Mapping[str, float]) -> dict[str, float]:
    """Select the layers of positive weight, and announce them to the encoder.

    Raises:
        UserError: an unknown layer; a weight that is not a number of at least 0; no layer left.
    """
    if not isinstance(layers, Mapping):
        raise UserError(f"Argument `layers` must map layers to weights, but got {layers!r}.")
    for layer, weight in layers.items():
        encoder.smallest_side(layer)  # which knows its layers
        number = isinstance(weight, int | float) and math.isfinite(weight) and weight >= 0
        if not number:
            raise UserError(
                f"Argument `layers` must give {layer!r} a weight of at least 0, but got {weight!r}."
            )
    used = {layer: float(weight) for layer, weight in layers.items() if weight > 0}
    if not used:
        raise UserError(f"Argument `layers` must weigh at least one layer, but got {layers!r}.")
    encoder.expect(used)
    return used


def _normalised(image: Tensor) -> Tensor:
    """(x - mean) / std in float32 at least, with three channels."""
    x = at_least_float32(image).expand(-1, 3, -1, -1)
    # Channel by channel with plain numbers: constants need not travel to the image's device.
    parts = enumerate(zip(MEAN, STD, strict=True))
    return torch.stack([(x[:, place] - mean) / std for place, (mean, std) in parts], dim=1)


def _names(trunk: str, features: nn.Sequential) -> list[str]:
    names, block, count = [], 1, 0
    for module in features:
        kind = KINDS[type(module).__name__]
        count += kind in ("conv", "fire")
        if not trunk.startswith("vgg"):
            names.append(f"{kind}{count}")
        elif kind == "pool":  # the end of a block
            names.append(f"pool{block}")
            block, count = block + 1, 0
        else:
            names.append(f"{kind}{block}_{count}")
    return names


def _window(module: nn.Module) -> tuple[int, int, int, bool]:
    """Side, stride and padding of a layer's window, and whether it may be partly outside."""
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d | BlurPool):
        return 1, 1, 0, False
    numbers = (module.kernel_size, module.stride, module.padding)
    kernel, stride, padding = (n if isinstance(n, int) else int(n[0]) for n in numbers)
    return kernel, stride, padding, bool(getattr(module, "ceil_mode", False))
