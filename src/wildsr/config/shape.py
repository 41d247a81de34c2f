"""Check that an override has the type of the default: mapping, list, switch, number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, ListConfig, Node, ValueNode

from wildsr.error import UserError, shortened

# Keys that take several types and are checked elsewhere: by Lightning, the objective, config.check.
FREE = ("trainer.", "method.updates.", "method.stages.", "finish.updates.", "augment")
LARGEST = 2**63 - 1  # largest integer that torch and most file formats can hold


def check_shape(key: str, default: Any, value: Any) -> None:
    """Refuse an override of another shape than the default: mapping, list or one value.

    Which numbers, texts and nulls are valid is checked elsewhere.

    Args:
        key: its name.
        default: the node that holds the key now; a reference to another key takes anything finite.
        value: plain types.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    text = isinstance(default, ValueNode) and isinstance(default._value(), str)
    if not (text and isinstance(value, float)):  # valid texts are checked where the key is used
        _check_finite(key, value)
    if _is_reference(default) or _is_reference(value) or key.startswith(FREE):
        return
    default = default._value() if isinstance(default, ValueNode) else default
    if isinstance(default, DictConfig):
        if not isinstance(value, Mapping):
            names = _names(default)
            raise _refused(key, f"a mapping of {names}" if names else "a mapping", value)
        for inner, new in value.items():
            if inner in list(default):  # `in` alone leaves out ???
                check_shape(f"{key}.{inner}", default._get_node(inner), new)
    elif value is None or default is None or default == "???":
        return
    elif isinstance(default, ListConfig):
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise _refused(key, "a list", value)
    elif isinstance(value, Mapping):
        raise _refused(key, "one value", value)


def check_scalar(key: str, default: Any, value: Any) -> None:
    """Refuse a value that is not a boolean or number if the default is one.

    Which numbers and nulls are valid is checked elsewhere.

    Args:
        key: its name.
        default: the node that holds the default, or its value.
        value: plain types.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    if _is_reference(default) or _is_reference(value) or key.startswith(FREE):
        return
    default = default._value() if isinstance(default, ValueNode) else default
    if isinstance(default, DictConfig) and isinstance(value, Mapping):
        for inner, new in value.items():
            if inner in list(default):  # `in` alone leaves out ???
                check_scalar(f"{key}.{inner}", default._get_node(inner), new)
    elif isinstance(default, bool):
        if not (value is None or isinstance(value, bool)):
            raise _refused(key, "true or false", value)
    elif isinstance(default, int | float) and (
        isinstance(value, bool) or not isinstance(value, int | float | None)
    ):
        raise _refused(key, "a number", value)


def _is_reference(value: Any) -> bool:
    if isinstance(value, Node):
        return bool(value._is_interpolation())
    return isinstance(value, str) and "${" in value


def _check_finite(key: str, value: Any) -> None:
    """Refuse what is missing, numbers that are infinite or none, integers that nothing can hold."""
    if isinstance(value, Mapping):
        for inner, new in value.items():
            _check_finite(f"{key}.{inner}", new)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for new in value:
            _check_finite(key, new)
    elif value == "???":
        raise _refused(key, "given", value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _refused(key, "finite", value)
    elif isinstance(value, int) and not -LARGEST <= value <= LARGEST:
        raise _refused(key, f"at most {LARGEST}", value)


def _names(mapping: Any) -> str:
    keys = [str(key) for key in mapping if key != "_target_"]
    return ", ".join(keys[:8]) + (", ..." if len(keys) > 8 else "")


def _refused(key: str, what: str, value: Any) -> UserError:
    return UserError(f"`{key}` must be {what}, but got {shortened(value)}.")
