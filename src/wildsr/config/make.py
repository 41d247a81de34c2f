"""From the composed configuration to objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from wildsr.config.plain import escaped, from_plain
from wildsr.error import UserError, first_line
from wildsr.method.part import Method
from wildsr.network.upscaler.published import Published
from wildsr.network.weights import fill, read_weights


def make(node: DictConfig, what: str, **arguments: Any) -> Any:
    """Instantiate ``node`` by its ``_target_``; what its constructor refuses becomes one sentence.

    Raises:
        UserError: naming ``what`` could not be made and why.
    """
    try:
        # Hydra resolves references twice, each time taking away one escape.
        plain: Any = OmegaConf.to_container(node, resolve=True)
        return instantiate(from_plain(escaped(plain)), **{"_convert_": "all", **arguments})
    except Exception as error:
        cause = error.__cause__ or error
        if isinstance(cause, UserError):
            raise UserError(f"`{what}`: {cause}") from error
        raise UserError(f"`{what}` cannot be made: {first_line(cause)}") from error


def method_class(config: DictConfig) -> type[Method]:
    """The method that the configuration names."""
    target = config.method._target_
    try:
        found: type[Method] = get_class(target)
    except Exception as error:
        raise UserError(f"`method._target_` must be a class, but got {target!r}.") from error
    return found


def make_networks(config: DictConfig) -> dict[str, nn.Module]:
    """New networks, the same for the same ``seed``."""
    torch.manual_seed(config.seed)
    return {
        str(n): make(node, f"method.networks.{n}") for n, node in config.method.networks.items()
    }


def start_from(network: nn.Module, weights: str) -> None:
    """Let an upscaler begin with the weights in a file.

    Raises:
        UserError: if there is no such file, or it is of another architecture.
    """
    if not isinstance(network, Published):  # which has read them already
        path = Path(weights).expanduser()
        fill(network, read_weights(path), f"`weights` {path}")


def scale_of_weights(config: DictConfig, overrides: list[str]) -> int | None:
    """The scale of the published weights that are to be trained, unless one was typed."""
    if any(override.split("=", 1)[0] == "scale" for override in overrides):
        return None
    node = config.network.upscaler
    if node._target_ != "wildsr.network.upscaler.published.Published":
        return None
    scale: int = make(node, "network.upscaler", scale=None).scale
    return scale


def sample_batch(config: DictConfig) -> dict[str, Tensor]:
    """Two random samples of each domain, of the size that training uses, for a dry run."""
    patch, generator = config.data.patch, torch.Generator().manual_seed(0)
    sides = {"hr": patch * config.scale, "real_lr": patch, "other_hr": patch * config.scale}
    return {n: torch.rand(2, 3, side, side, generator=generator) for n, side in sides.items()}
