"""Read a run's recorded configuration as data, and check it before use."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from wildsr.argument import SCALES
from wildsr.config.plain import as_config, parse_yaml, yaml_text
from wildsr.config.trust import TARGET, check_targets
from wildsr.error import UserError

LARGEST = 8192  # largest integer in the description of a network
LEARNED = "wildsr.run.degradation.Learned"


def recorded_config(path: Path, trust: bool) -> DictConfig:
    """Read the configuration in a run's ``config.yaml``.

    Runs record values, never references: ``${...}`` in it is text, and OmegaConf's resolvers are
    not called.

    Args:
        path: of the file.
        trust: allow it to name code outside of wildsr.

    Raises:
        UserError: it is damaged, lacks what every run has, or names code outside of wildsr.
    """
    return copy.deepcopy(_recorded(yaml_text(path), path, trust))


@functools.lru_cache(maxsize=8)
def _recorded(text: str, path: Path, trust: bool) -> DictConfig:
    """The configuration of this text, kept: a verb reads that of its run several times."""
    plain = parse_yaml(text, path)
    if not isinstance(plain, dict):
        raise UserError(f"{path} is damaged: it holds no configuration.")
    check_targets(plain, str(path), trust)
    _check_shape(plain, path)
    for node in of_target(plain, LEARNED):
        node["trust"] = trust  # the inner run is trusted only as much as this one
    return as_config(plain)


def _check_shape(plain: dict[str, Any], path: Path) -> None:
    """Refuse a configuration that lacks what is asked of every run."""

    def wrong(key: str, must: str) -> UserError:
        return UserError(f"{path} is damaged: `{key}` must be {must}.")

    if not _whole(plain.get("scale")) or plain["scale"] not in SCALES:
        raise wrong("scale", f"one of {list(SCALES)}")
    if not _whole(plain.get("seed")) or plain["seed"] < 0:
        raise wrong("seed", "an integer of at least 0")
    method = plain.get("method")
    if not isinstance(method, dict):
        raise wrong("method", "a method")
    for key in (TARGET, "name"):
        if not isinstance(method.get(key), str):
            raise wrong(f"method.{key}", "a name")
    networks = method.get("networks")
    if not isinstance(networks, dict) or not networks:
        raise wrong("method.networks", "networks by name")
    for name, node in networks.items():
        if not isinstance(node, dict) or not isinstance(node.get(TARGET), str):
            raise wrong(f"method.networks.{name}", "a network")
        _check_sizes(node, f"method.networks.{name}", path)
    if not isinstance(plain.get("data"), dict) or not isinstance(plain["data"].get(TARGET), str):
        raise wrong("data", "photos")
    for key in ("lr", "hr", "val_lr", "val_hr", "cache"):
        if not isinstance(plain["data"].get(key), str | None):
            raise wrong(f"data.{key}", "a path")
    for key in ("weights", "name"):
        if not isinstance(plain.get(key), str | None):
            raise wrong(key, "a path" if key == "weights" else "a name")
    for key in ("network", "degradation"):
        if not isinstance(plain.get(key, {}), dict):
            raise wrong(key, "names with values")


def _check_sizes(value: Any, where: str, path: Path) -> None:
    """Refuse numbers that no network is made of."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "seed":
                _check_sizes(item, f"{where}.{key}", path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_sizes(item, f"{where}.{index}", path)
    elif isinstance(value, int) and not -LARGEST <= value <= LARGEST:
        raise UserError(f"{path} is refused: `{where}` is {value}, larger than {LARGEST}.")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def of_target(value: Any, target: str) -> list[dict[str, Any]]:
    """Find the nodes whose ``_target_`` is ``target``."""
    if isinstance(value, list):
        return [node for item in value for node in of_target(item, target)]
    if not isinstance(value, Mapping):
        return []
    below = [node for item in value.values() for node in of_target(item, target)]
    return [value, *below] if value.get(TARGET) == target else below  # type: ignore[list-item]
