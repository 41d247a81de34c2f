"""Turn settings given in Python into overrides as the command line takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from wildsr.config.compose import literals
from wildsr.config.override import written
from wildsr.error import UserError


def overrides_of(
    given: Mapping[str, Any] | None, more: Mapping[str, Any], verb: str = "train"
) -> list[str]:
    """Write every setting as a Hydra override ``key=value``.

    Args:
        given: settings whose keys need not be Python identifiers, ``{"data.lr": folder}``.
        more: settings by keyword.
        verb: the command whose configuration they are for ("train", "evaluate", "degrade", ...).

    Raises:
        UserError: a setting given twice, or a value that a configuration cannot hold.
    """
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise UserError(
            f"Argument `settings` must be a mapping of keys to values, but got {given!r}."
        )
    for key in given:
        if not isinstance(key, str) or not key or "=" in key:
            raise UserError(f"A key of `settings` must be a name such as 'data.lr', not {key!r}.")
        if key in more:
            raise UserError(
                f"`{key}` must be given once, but got {given[key]!r} and {more[key]!r}."
            )
    settings = {**given, **more}
    written = {key: f"{key}={_written(value, key)}" for key, value in settings.items()}
    for key in literals(verb, list(written.values())):  # taken as typed: no grammar, no quotes
        if settings.get(key) is not None:
            written[key] = f"{key}={_literal(settings[key])}"
    return list(written.values())


def _literal(value: Any) -> str:
    """A value as text: a list or mapping in Hydra's grammar, its items quoted."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {_in_quotes(item)}' for name, item in value.items())}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(_in_quotes(item) for item in value)}]"
    text = str(value)
    return f"./{text}" if text in ("null", "???") else text  # which would be none, or missing


def _in_quotes(value: Any) -> str:
    text = str(value)
    return f'"{text}"' if "'" in text else f"'{text}'"


def _written(value: Any, key: str) -> str:
    """A value in Hydra's grammar."""
    if isinstance(value, bool | int | float | str | None):
        return written(value)
    if isinstance(value, PurePath):
        return written(str(value))
    if isinstance(value, Mapping):
        items = (f"{_written(str(k), key)}: {_written(v, key)}" for k, v in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(_written(item, key) for item in value)}]"
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:  # numpy's and torch's scalars
        return _written(value.item(), key)
    raise UserError(
        f"`{key}` must be a number, a string, a path, true, false, None, or a list or mapping of "
        f"these, but got {type(value).__name__}."
    )
