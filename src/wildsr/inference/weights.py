"""Weights for use: written for other tools, read from ours and theirs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from wildsr.error import UserError
from wildsr.network.upscaler.published import Published
from wildsr.network.weights import fill, read_weights
from wildsr.text_path import text_path

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
    metadata = {"format": "pt"}
    if not isinstance(network, Published):  # those are recognised by their keys, as they were
        metadata[KEY] = json.dumps({"network": dict(architecture), "scale": scale})
    weights = {k: v.detach().cpu().contiguous().clone() for k, v in network.state_dict().items()}
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(weights, str(partial), metadata=metadata)
    os.replace(partial, path)


def open_weights(path: Path) -> tuple[nn.Module, int]:
    """An upscaler and its scale from a file: our own, or any architecture that spandrel knows.

    Raises:
        UserError: if the file is missing, damaged, or of an unknown architecture.
    """
    weights = read_weights(path)
    about = description(path)
    if about is None:
        published = Published(path)
        return published.eval(), published.scale
    target = str(about["network"].get("_target_"))
    if not target.startswith("wildsr.network."):  # metadata must not name code to run
        raise UserError(f"`weights`: {path} names the architecture {target!r}, which is not ours.")
    network: nn.Module = instantiate(about["network"])
    fill(network, weights, f"`weights` {path}")
    return network.eval(), int(about["scale"])


def description(path: Path) -> dict[str, Any] | None:
    """What was written beside the weights: the ``network`` and its ``scale``; None by others."""
    if path.suffix == ".safetensors":
        with text_path(path) as readable, safe_open(readable, framework="pt") as file:
            about = (file.metadata() or {}).get(KEY)
    else:
        held = torch.load(path, map_location="cpu", weights_only=True)
        about = held.get(KEY) if isinstance(held, Mapping) else None
    try:
        found = json.loads(about) if isinstance(about, str) else None
    except ValueError:
        found = None
    described = isinstance(found, dict) and {"network", "scale"} <= found.keys()
    return found if described else None
