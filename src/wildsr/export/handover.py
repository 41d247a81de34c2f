"""Write weights with the names that other tools expect, one file for each network."""

from __future__ import annotations

import copy
import json
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
from wildsr.inference.weights import open_weights, save_weights
from wildsr.network.checksum import seal
from wildsr.network.upscaler.published import Published
from wildsr.network.weights import KEY, check_finite

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor  # slow to import

LONGEST = 160  # bytes of the upscaler's name within a file name


@dataclass(frozen=True)
class Piece:
    """One network of an upscaler, with its scale.

    Attributes:
        name: of the network within the method; empty if there is only one.
        network: in evaluation mode.
        scale: its own: 1 for one that cleans the image before another upscales it.
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
        upscaler(torch.zeros(1, 3, 16, 16))
    finally:
        for hook in hooks:
            hook.remove()
    alone = len(seen) == 1
    return [Piece("" if alone else n, networks[n], scale) for n, scale in seen.items()]


def file_name(name: str, piece: Piece) -> str:
    """File name ``4x_Name``, with the name of the network if there are several.

    Other tools read the scale from it.
    """
    bare = short(re.sub(r"^\d+x[-_ ]?", "", name))
    return f"{piece.scale}x_{bare}{f'_{piece.name}' if piece.name else ''}"


def short(name: str) -> str:
    """Shorten a name, so that the file name with scale and suffix is not too long."""
    while len(os.fsencode(name)) > LONGEST:
        name = name[:-1]
    return name


def write_weights(
    piece: Piece, path: Path, architecture: Mapping[str, Any] | None, fp16: bool
) -> Upscale:
    """Write one network's weights under their original names, and open them as other tools do.

    Args:
        piece: the network.
        path: ends in .safetensors, or in .pth, which holds the weights as ``params_ema``.
        architecture: its ``_target_`` and arguments; None for published weights, which are
            recognised by the names of their tensors.
        fp16: whether to store half precision.

    Returns:
        The reopened file as a function of (B, 3, H, W): by spandrel if it knows the architecture,
        else by wildsr.

    Raises:
        UserError: weights that are NaN or infinite, or become so in half precision; a file that
            cannot be written.
    """
    network = copy.deepcopy(piece.network)
    check_finite(network.state_dict(), f"{path} is not written: the network")
    network = network.half() if fp16 else network
    check_finite(network.state_dict(), f"{path} is not written (fp16=true): in half precision it")
    if path.suffix == ".safetensors":
        save_weights(network, path, architecture or {}, piece.scale)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        held: dict[str, Any] = {
            "params_ema": {k: v.detach().contiguous() for k, v in network.state_dict().items()}
        }
        if not isinstance(network, Published):
            about = {"network": dict(architecture or {}), "scale": piece.scale}
            held[KEY] = json.dumps(about)
        with writing(path) as partial:
            torch.save(held, partial)
            seal(partial)
    return opened(path)


def opened(path: Path) -> Upscale:
    """Open a weights file by spandrel if it knows the architecture, else by wildsr.

    Raises:
        UserError: neither can open it.
    """
    network: Any = spandrel_model(path) or open_weights(path).network

    def upscale(lr: Tensor) -> Tensor:
        with torch.no_grad():
            sr: Tensor = network(lr)
        return sr

    return upscale


def spandrel_model(path: Path) -> ImageModelDescriptor | None:
    """Open a file by spandrel, as chaiNNer does; None for an unknown architecture.

    The model, when called, pads as the architecture needs and clips to [0, 1].
    """
    from spandrel import ImageModelDescriptor, ModelLoader

    try:
        found = ModelLoader(device="cpu").load_from_file(path)
    except Exception:  # guessing an architecture can raise any type
        return None
    return found.eval() if isinstance(found, ImageModelDescriptor) else None
