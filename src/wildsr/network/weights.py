"""Weights of networks: read from files of any usual layout, filled in, every mismatch said."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from wildsr.error import UserError, first_line
from wildsr.text_path import text_path


def fill(module: torch.nn.Module, weights: dict[str, Any], what: str) -> None:
    """Load ``weights`` into ``module``.

    Raises:
        UserError: if they are of another architecture; names the first differences.
    """
    own = module.state_dict()
    missing, extra = [k for k in own if k not in weights], [k for k in weights if k not in own]
    shapes = [
        f"{k} is {tuple(weights[k].shape)} instead of {tuple(own[k].shape)}"
        for k in own
        if k in weights and weights[k].shape != own[k].shape
    ]
    problems = [f"lacks {k}" for k in missing[:1]] + [f"has {k}" for k in extra[:1]] + shapes[:1]
    if problems:
        raise UserError(
            f"{what} belongs to another architecture than {type(module).__name__}: "
            f"it {', '.join(problems)}."
        )
    module.load_state_dict(weights)


# What trainers put the weights under, the averaged ones first, and in front of their names.
WRAPPERS = ("params_ema", "params-ema", "params", "model_state_dict", "state_dict", "model", "net")


PREFIXES = ("module.", "netG.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights in a file by their original names, whatever a trainer wrapped them in.

    Reads .safetensors, and pickles (.pth, .pt, .ckpt) that hold tensors and plain data only, which
    run no code when they are opened. Takes the averaged weights (``params_ema``) where there are
    also raw ones, and drops a prefix that all names have (``module.`` of data parallelism).

    Raises:
        UserError: a file that is missing, damaged, holds objects that could run code, or holds no
            weights.
    """
    if not path.is_file():
        raise UserError(f"`weights` must be a file, but {path} does not exist.")
    held: Any
    try:
        if path.suffix == ".safetensors":
            with text_path(path) as readable:
                held = load_file(readable)
        else:
            held = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise UserError(
            f"`weights`: {path} is not a readable safetensors file: {error}."
        ) from error
    except pickle.UnpicklingError as error:
        raise UserError(
            f"`weights`: {path} is refused: it is damaged, or holds objects other than tensors and "
            "plain data, which could run code when opened."
        ) from error
    except Exception as error:  # torch raises half a dozen types on damaged archives
        raise UserError(f"`weights`: {path} cannot be read: {first_line(error)}") from error
    for wrapper in WRAPPERS:
        if isinstance(held, Mapping) and isinstance(held.get(wrapper), Mapping):
            held = held[wrapper]
            break
    if not isinstance(held, Mapping) or not held:
        raise UserError(f"`weights`: {path} holds no weights by name.")
    strange = [name for name, value in held.items() if not isinstance(value, Tensor)]
    if strange:
        raise UserError(
            f"`weights`: {path} holds no weights by name: {strange[0]!r} is not a tensor."
        )
    weights = {str(name): value for name, value in held.items()}
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return weights
