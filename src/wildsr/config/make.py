"""Create objects from a composed configuration."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from wildsr.config.trust import CALLS, TARGET
from wildsr.error import UserError, first_line
from wildsr.method.finishing import finishing
from wildsr.method.part import Method, deepened
from wildsr.network.channels import adapted
from wildsr.network.upscaler.published import Published
from wildsr.network.weights import fill, read_weights
from wildsr.photo.sensor import Sensor


def make(node: Any, what: str, kind: type[Any] = object, **arguments: Any) -> Any:
    """Create the object that ``node`` describes: call its ``_target_`` with the other keys.

    Nodes within it are created first. Constructors get plain containers, numbers and strings.
    Configurations that come from a file must be checked before (:mod:`wildsr.config.trust`).

    Args:
        node: of a configuration.
        what: its key, for messages.
        kind: the expected type.
        arguments: further arguments, passed on as they are.

    Raises:
        UserError: the object cannot be created, or is of another type; names ``what``.
    """
    try:
        known = OmegaConf.is_config(node)
        plain: Any = OmegaConf.to_container(node, resolve=True) if known else node
        made = _made(plain, arguments)
    except UserError as error:
        raise UserError(f"`{what}`: {error}") from error
    except Exception as error:  # constructors can raise any type
        raise UserError(f"`{what}` cannot be made: {first_line(error)}") from error
    if not isinstance(made, kind):
        raise UserError(
            f"`{what}` must be a {kind.__name__}, but `{plain[TARGET]}` makes a "
            f"{type(made).__name__}."
        )
    return made


def _made(plain: Any, arguments: Mapping[str, Any]) -> Any:
    if not isinstance(plain, Mapping) or not isinstance(plain.get(TARGET), str):
        raise UserError(f"it has no `{TARGET}`, the name of a class.")
    for word in CALLS:
        if word in plain:
            raise UserError(f"`{word}` is not supported; `{TARGET}` is called with names.")
    named = {str(key): _within(value) for key, value in plain.items() if key != TARGET}
    return get_object(plain[TARGET])(**{**named, **arguments})


def _within(value: Any) -> Any:
    """A value of a node, with what it describes made."""
    if isinstance(value, Mapping):
        if TARGET in value:
            return _made(value, {})
        return {key: _within(item) for key, item in value.items()}
    return [_within(item) for item in value] if isinstance(value, list) else value


def method_class(config: DictConfig) -> type[Method]:
    """The class of the configured method, with finish or high bit depth added if configured.

    Raises:
        UserError: ``method._target_`` is not a method's class.
    """
    target = config.method.get(TARGET)
    try:
        found = get_object(target)
    except Exception as error:
        raise UserError(f"`method.{TARGET}` must be a class, but got {target!r}.") from error
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise UserError(f"`method.{TARGET}` must be a method, but got {target!r}.")
    method = finishing(found) if config.method.get("finish") else found
    return deepened(method) if sensor_of(config).deep else method


def sensor_of(config: DictConfig) -> Sensor:
    """The kind of photos that a training uses; 8-bit RGB if the configuration does not say."""
    return Sensor.of(config.get("sensor"))


def make_networks(config: DictConfig, only: Collection[str] | None = None) -> dict[str, nn.Module]:
    """Create new networks, the same for the same ``seed``.

    Args:
        config: of a training.
        only: names of the networks to create; None for all.

    Raises:
        UserError: a network cannot be created.
    """
    torch.manual_seed(config.seed)
    return {
        str(name): make(node, f"method.networks.{name}", nn.Module)
        for name, node in config.method.networks.items()
        if only is None or name in only
    }


def start_from(network: nn.Module, weights: str) -> None:
    """Load weights from a file into an upscaler before training.

    Raises:
        UserError: there is no such file, or it is of another architecture.
    """
    if not isinstance(network, Published):  # which has read them already
        path = Path(weights).expanduser()
        what = f"`weights` {path}"
        fill(network, adapted(read_weights(path), network, what), what)


def scale_of_weights(config: DictConfig, overrides: list[str]) -> int | None:
    """The scale of published weights to be trained further; None if given or not applicable."""
    if any(override.split("=", 1)[0] == "scale" for override in overrides):
        return None
    node = config.network.upscaler
    if node._target_ != "wildsr.network.upscaler.published.Published":
        return None
    scale: int = make(node, "network.upscaler", scale=None).scale
    return scale


def sample_batch(config: DictConfig) -> dict[str, Tensor]:
    """Create two random samples of each domain, of the training size, for a dry run.

    Returns:
        ``hr`` and ``other_hr`` (2, C, sP, sP), ``real_lr`` (2, C, P, P), in [0, 1].
    """
    patch, generator = config.data.patch, torch.Generator().manual_seed(0)
    sides = {"hr": patch * config.scale, "real_lr": patch, "other_hr": patch * config.scale}
    count = sensor_of(config).channels
    return {n: torch.rand(2, count, side, side, generator=generator) for n, side in sides.items()}
