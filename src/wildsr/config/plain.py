"""Read JSON and YAML from untrusted files, limited in size, as plain data.

Nothing here creates objects: results are numbers, strings, lists and dictionaries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from wildsr.error import UserError, first_line

LARGEST = {"json": 64 << 20, "yaml": 256 << 10}  # bytes
DEPTH = 64  # levels of nesting
NODES = 20_000  # values of a YAML file with aliases expanded: wildsr's configurations have some 500
INTEGER = 2**63


def read_json(path: Path, largest: int = LARGEST["json"]) -> Any:
    """Read a JSON file.

    Args:
        path: of the file.
        largest: bytes; a larger file is refused.

    Raises:
        UserError: it cannot be read, is too large or damaged.
    """
    text = _text(path, largest)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {first_line(error)}.") from error


def read_yaml(path: Path) -> Any:
    """Read a YAML file: None, numbers, strings, lists, and dictionaries by strings.

    Raises:
        UserError: it cannot be read, is too large, nested too deeply or damaged, or holds
            anything else.
    """
    return parse_yaml(yaml_text(path), path)


def yaml_text(path: Path) -> str:
    """Read the text of a YAML file.

    Raises:
        UserError: it cannot be read, or is too large.
    """
    return _text(path, LARGEST["yaml"])


def parse_yaml(text: str, path: Path) -> Any:
    """Parse the text of a YAML file: None, numbers, strings, lists, and dictionaries by strings.

    Args:
        text: YAML.
        path: of its file, which errors name.

    Raises:
        UserError: it is nested too deeply or damaged, or holds anything else.
    """
    try:
        _measure(text, path)
        found = yaml.load(text, Loader=yaml.SafeLoader)
    except UserError:
        raise
    except (yaml.YAMLError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {first_line(error)}.") from error
    except (AttributeError, LookupError) as error:  # raised for invalid values of YAML tags
        raise UserError(f"{path} is damaged: a tag does not fit its value.") from error
    _check(found, path)
    return found


def as_config(plain: Mapping[str, Any]) -> DictConfig:
    """Make a configuration from plain containers, in which ``${`` is plain text.

    Raises:
        UserError: a string is ``???``, OmegaConf's mark for a missing value.
    """
    config: DictConfig = OmegaConf.create(literal(plain))
    return config


def literal(value: Any) -> Any:
    """Escape plain containers or a string so that OmegaConf reads strings as text.

    Raises:
        UserError: a string is ``???``, OmegaConf's mark for a missing value.
    """
    if isinstance(value, Mapping):
        return {key: literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [literal(item) for item in value]
    if value == "???":
        raise UserError("A recorded configuration holds `???`: a value is missing.")
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", lambda found: f"{found[1] * 2}\\${{", value)
    return value


def printable(value: Any) -> Any:
    """Escape bytes of file names that are not valid UTF-8.

    Args:
        value: plain types, nested in dicts and lists.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {printable(key): printable(inner) for key, inner in value.items()}
    return [printable(inner) for inner in value] if isinstance(value, list) else value


def _text(path: Path, largest: int) -> str:
    try:
        if not path.is_file():
            raise UserError(f"{path} is not a file." if path.exists() else f"There is no {path}.")
        with path.open("rb") as file:
            content = file.read(largest + 1)
        if len(content) > largest:
            raise UserError(f"{path} is refused: it is larger than {largest >> 10} kB.")
        return content.decode("utf-8", "surrogateescape")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or first_line(error)}.") from error


def _measure(text: str, path: Path) -> None:
    """Refuse what would be too large once aliases are written out, before anything is made."""
    sizes: dict[str, int] = {}
    open_ones: list[tuple[str | None, int]] = [(None, 0)]  # anchor, values so far
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(open_ones) > DEPTH:
                raise UserError(f"{path} is refused: it is nested more than {DEPTH} deep.")
            open_ones.append((event.anchor, 1))
            continue
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            anchor, size = open_ones.pop()
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise UserError(f"{path} is damaged: it holds itself, or an alias of nothing.")
            anchor, size = None, sizes[event.anchor]
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        outer, so_far = open_ones[-1]
        open_ones[-1] = (outer, so_far + size)
        if so_far + size > NODES:
            raise UserError(
                f"{path} is refused: with its aliases written out it has more than {NODES} values."
            )


def _check(value: Any, path: Path) -> None:
    """Refuse what is no plain data."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str | int):
                raise UserError(f"{path} is damaged: {type(key).__name__} as the name of a value.")
            _check(item, path)
    elif isinstance(value, list):
        for item in value:
            _check(item, path)
    elif isinstance(value, int):
        if not -INTEGER <= value < INTEGER:
            raise UserError(f"{path} is damaged: it holds an integer of more than 64 bits.")
    elif not (value is None or isinstance(value, str | float)):
        raise UserError(f"{path} is damaged: it holds a {type(value).__name__}.")
