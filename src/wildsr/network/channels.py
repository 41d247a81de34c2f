"""Adapt weights to another number of image channels (RGB weights for a gray sensor, and so on)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from wildsr.photo.folder import say_once


@runtime_checkable
class Spreads(Protocol):
    """A network that has to adapt more than its first and last layer to other channels."""

    def spread(self, weights: dict[str, Tensor], source: int, given: Mapping[str, Tensor]) -> None:
        """Change the state dict ``weights``, adapted from ``source`` channels, in place.

        Args:
            weights: tensors of the network's own shapes, by name.
            source: number of image channels of the original weights.
            given: the original weights.
        """
        ...


def adapted(weights: Mapping[str, Tensor], module: nn.Module, what: str) -> Mapping[str, Tensor]:
    """Adapt a state dict to ``module``, whose images have another number of channels.

    The first layer's input weights are averaged over the channels and rescaled, so that an image
    with equal channels gives the same features as before; the last layer's outputs are averaged and
    repeated. A note is printed once. Weights that differ in any other way, or not at all, are
    returned unchanged, for the caller to load or refuse.

    Args:
        weights: the state dict; any shapes.
        module: the network, with its number of ``channels``.
        what: the weights, as the note calls them.
    """
    own, target = module.state_dict(), getattr(module, "channels", None)
    odd = [n for n in own if n in weights and weights[n].shape != own[n].shape]
    if target is None or not odd or own.keys() != weights.keys():
        return weights
    source = _source(weights[odd[0]], own[odd[0]], target)
    if source is None:
        return weights
    made, inputs = dict(weights), False
    for name in odd:
        places = _places(weights[name], own[name], source, target)
        if places is None:
            return weights
        inputs = inputs or places == [1]
        if places == [0, 1]:  # maps image channels to image channels: keep the module's own
            made[name] = own[name]
        else:
            made[name] = _spread(weights[name], places[0], source, target)
    if not inputs:  # only outputs differ: weights of another scale
        return weights
    if isinstance(module, Spreads):
        module.spread(made, source, weights)
    _said(what, source, target)
    return made


def spread_ends(
    weights: Mapping[str, Tensor], first: str, last: str, source: int, target: int, what: str
) -> dict[str, Tensor]:
    """As :func:`adapted`, where only the names of the first and the last layer are known.

    Args:
        weights: the state dict; convolution weights are (outputs, inputs, k, k).
        first: name of the first layer, without ".weight".
        last: name of the last layer.
        source: channels of the weights.
        target: channels wanted.
        what: the weights, as the printed note calls them.
    """
    made = dict(weights)
    made[f"{first}.weight"] = _spread(weights[f"{first}.weight"], 1, source, target)
    for part in ("weight", "bias"):
        if f"{last}.{part}" in weights:
            made[f"{last}.{part}"] = _spread(weights[f"{last}.{part}"], 0, source, target)
    _said(what, source, target)
    return made


def _said(what: str, source: int, target: int) -> None:
    words = {1: "gray", 3: "RGB"}
    begun, ends = (words.get(n, f"{n} channels") for n in (source, target))
    say_once(
        f"{what} are of {begun}, the photos of {ends}: the first layer shares its inputs out, the "
        "last one's outputs are averaged and repeated"
    )


def _source(given: Tensor, own: Tensor, target: int) -> int | None:
    """The number of channels that weights are of; None where that cannot be."""
    if given.ndim != own.ndim:
        return None
    for a, b in zip(given.shape, own.shape, strict=True):
        if a != b:
            count, rest = divmod(a * target, b)
            return count if rest == 0 and count > 0 else None
    return None


def _places(given: Tensor, own: Tensor, source: int, target: int) -> list[int] | None:
    """The dimensions that count channels; None where other ones differ as well."""
    if given.ndim != own.ndim:
        return None
    sizes = list(zip(given.shape, own.shape, strict=True))
    places = [d for d, (a, b) in enumerate(sizes) if a != b]
    fits = all(sizes[d][0] * target == sizes[d][1] * source for d in places)
    whole = all(sizes[d][0] % source == 0 for d in places)
    return places if fits and whole and places in ([0], [1], [0, 1]) else None


def _spread(weight: Tensor, place: int, source: int, target: int) -> Tensor:
    """Another number of channels along a dimension, each of as many entries as before.

    Channels come first in it, and what a shuffle makes of each second.
    """
    parts = weight.unflatten(place, (source, -1))
    mean = parts.mean(place, keepdim=True)
    if place == 1:  # inputs: the sum stays
        mean = mean * (source / target)
    shape = [target if d == place else -1 for d in range(parts.ndim)]
    return mean.expand(shape).flatten(place, place + 1).contiguous()


def ends_of(network: nn.Module, image: Tensor) -> tuple[str, str]:
    """The names of the first and the last convolution run on ``image`` (B, C, H, W)."""
    called: list[str] = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: called.append(name))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        with torch.no_grad():
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return called[0], called[-1]
