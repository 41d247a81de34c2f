"""Values as they are in configurations, where ``${...}`` would mean another key's value."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig, OmegaConf


def escaped(value: Any) -> Any:
    """A value that a configuration gives back as it is, a folder named ``${x}`` too.

    Args:
        value: plain types, nested in dicts and lists.
    """
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", lambda found: 2 * found[1] + r"\${", value)
    if isinstance(value, dict):
        return {key: escaped(inner) for key, inner in value.items()}
    return [escaped(inner) for inner in value] if isinstance(value, list) else value


def printable(value: Any) -> Any:
    """A value without what no encoding has: the bytes of names that are no text, as escapes.

    Args:
        value: plain types, nested in dicts and lists.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {printable(key): printable(inner) for key, inner in value.items()}
    return [printable(inner) for inner in value] if isinstance(value, list) else value


def from_plain(values: dict[str, Any]) -> DictConfig:
    """The configuration of these values, none of which is taken for a reference to another."""
    made: DictConfig = OmegaConf.create(escaped(values))
    return made
