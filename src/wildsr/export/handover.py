"""Write weights as other tools name and open them, one file for each network."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from wildsr.atomic import writing
from wildsr.export.formats import Upscale
from wildsr.inference.restorer import Restorer
from wildsr.inference.tile import channels_of
from wildsr.inference.weights import description, open_weights, save_weights
from wildsr.network.checksum import seal
from wildsr.network.weights import KEY, check_finite
from wildsr.photo.sensor import RGB, Sensor

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor  # slow to import

LONGEST = 160  # bytes of the name in a file's


@dataclass(frozen=True)
class Piece:
    """One network of an upscaler, with its scale.

    Attributes:
        name: of the network within the method; empty where there is only one.
        network: in evaluation mode.
        scale: its own: 1 for one that cleans before another upscales.
    """

    name: str
    network: nn.Module
    scale: int


@torch.no_grad()
def pieces(upscaler: nn.Module, scale: int) -> list[Piece]:
    """The networks that an image passes through, in this order, each with its own scale."""
    if not isinstance(upscaler, Restorer):
        return [Piece("", upscaler, scale)]
    seen: dict[str, int] = {}

    def note(name: str) -> Any:
        def record(network: nn.Module, given: tuple[Tensor, ...], made: Any) -> None:
            if isinstance(made, Tensor) and name not in seen:
                seen[name] = made.shape[-1] // given[0].shape[-1]

        return record

    networks = dict(upscaler.networks.items())
    hooks = [network.register_forward_hook(note(name)) for name, network in networks.items()]
    try:
        upscaler(torch.zeros(1, channels_of(upscaler), 16, 16))
    finally:
        for hook in hooks:
            hook.remove()
    alone = len(seen) == 1
    return [Piece("" if alone else n, networks[n], scale) for n, scale in seen.items()]


def file_name(name: str, piece: Piece) -> str:
    """File name ``4x_Name``, with the part where there are several.

    Tools read the scale from it.
    """
    bare = short(re.sub(r"^\d+x[-_ ]?", "", name))
    return f"{piece.scale}x_{bare}{f'_{piece.name}' if piece.name else ''}"


def short(name: str) -> str:
    """Shorten a name so that the scale before it and a suffix behind it have room."""
    while len(os.fsencode(name)) > LONGEST:
        name = name[:-1]
    return name


def write_weights(
    piece: Piece,
    path: Path,
    architecture: Mapping[str, Any] | None,
    fp16: bool,
    sensor: Sensor = RGB,
) -> Upscale:
    """Write one network's weights under their original names, and open them as others do.

    Args:
        piece: the network.
        path: ends in .safetensors or .pth, which holds them as ``params_ema``.
        architecture: its ``_target_`` and arguments; None for published weights, which are
            recognised by their names.
        fp16: in half precision.
        sensor: the kind of photos that it was trained on, which the file states.

    Returns:
        What the file does, by spandrel if that knows the architecture, else by wildsr.
    """
    network = copy.deepcopy(piece.network)
    check_finite(network.state_dict(), f"{path} is not written: the network")
    network = network.half() if fp16 else network
    check_finite(network.state_dict(), f"{path} is not written (fp16=true): in half precision it")
    if path.suffix == ".safetensors":
        save_weights(network, path, architecture or {}, piece.scale, sensor)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        held: dict[str, Any] = {
            "params_ema": {k: v.detach().contiguous() for k, v in network.state_dict().items()}
        }
        described = description(network, architecture or {}, piece.scale, sensor)
        if described is not None:
            held[KEY] = described
        with writing(path) as partial:
            torch.save(held, partial)
            seal(partial)
    return opened(path, channels_of(network))


def opened(path: Path, channels: int = 3) -> Upscale:
    """Open a weights file by spandrel if it knows the architecture, else by wildsr."""
    network: Any = spandrel_model(path, channels) or open_weights(path).network

    def upscale(lr: Tensor) -> Tensor:
        with torch.no_grad():
            sr: Tensor = network(lr)
        return sr

    return upscale


def spandrel_model(path: Path, channels: int = 3) -> ImageModelDescriptor | None:
    """Open a file by spandrel, as chaiNNer does; None for an unknown architecture.

    Called, it pads as the architecture needs and clips to [0, 1].

    Args:
        path: the file.
        channels: of the network; None comes back where spandrel takes it for one of others.
    """
    from spandrel import ImageModelDescriptor, ModelLoader

    try:
        found = ModelLoader(device="cpu").load_from_file(path)
    except Exception:  # it raises whatever its guesses at an architecture raise
        return None
    if not isinstance(found, ImageModelDescriptor) or found.input_channels != channels:
        return None
    return found.eval()
