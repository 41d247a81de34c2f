"""Weights for use: written for other tools, read from ours and theirs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from wildsr.checkpoint import fill
from wildsr.error import UserError, first_line

KEY = "wildsr"  # of the description in a file's metadata


def save_weights(
    network: nn.Module, path: Path, architecture: Mapping[str, Any], scale: int
) -> None:
    """Write the weights alone, under the architecture's original key names, as safetensors.

    Args:
        network: the upscaler.
        path: ends in .safetensors; appears only when it is complete.
        architecture: the ``_target_`` and the arguments that made ``network``; kept as metadata,
            which other tools ignore and ``load_upscaler`` reads.
        scale: HR size / LR size.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    about = json.dumps({"network": dict(architecture), "scale": scale})
    weights = {k: v.detach().cpu().contiguous().clone() for k, v in network.state_dict().items()}
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(weights, str(partial), metadata={KEY: about, "format": "pt"})
    os.replace(partial, path)


def load_upscaler(path: Path) -> tuple[nn.Module, int]:
    """An upscaler and its scale from a file: our own, or any architecture that spandrel knows.

    Raises:
        UserError: if the file is missing, damaged, or of an unknown architecture.
    """
    if not path.is_file():
        raise UserError(f"`weights` must be a file, but {path} does not exist.")
    if path.suffix == ".safetensors":
        try:
            with safe_open(str(path), framework="pt") as file:
                about = (file.metadata() or {}).get(KEY)
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"`weights`: {path} is not a readable safetensors file: {error}."
            ) from error
        if about is not None:
            return _ours(path, json.loads(about), weights)
    return _published(path)


def _ours(path: Path, about: dict[str, Any], weights: dict[str, Any]) -> tuple[nn.Module, int]:
    target = str(about["network"].get("_target_"))
    if not target.startswith("wildsr.network."):  # metadata must not name code to run
        raise UserError(f"`weights`: {path} names the architecture {target!r}, which is not ours.")
    network: nn.Module = instantiate(about["network"])
    fill(network, weights, f"`weights` {path}")
    return network.eval(), int(about["scale"])


def _published(path: Path) -> tuple[nn.Module, int]:
    from spandrel import ImageModelDescriptor, ModelLoader

    try:
        found = ModelLoader(device="cpu").load_from_file(path)
    except Exception as error:
        raise UserError(
            f"`weights`: {path} is of no architecture that spandrel knows: {first_line(error)}"
        ) from error
    if not isinstance(found, ImageModelDescriptor) or found.input_channels != 3:
        raise UserError(f"`weights`: {path} does not take one RGB image.")
    return found.model.eval(), int(found.scale)
