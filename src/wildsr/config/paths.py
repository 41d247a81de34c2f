"""Parse keys that take one path, several, or named ones.

``run``, ``weights``, ``results`` and ``data.lr`` are such keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wildsr.error import UserError


def paths_by_name(value: Any, argument: str) -> dict[str, Path]:
    """The given paths by name; an empty dict for None.

    Args:
        value: a path, a list of paths or a mapping of names to paths, from a configuration.
        argument: the user's name for it, for messages.

    Raises:
        UserError: an empty name or path, or a path twice.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping):
        found = {str(name): Path(str(path)).expanduser() for name, path in value.items()}
    else:
        several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        paths = [Path(str(path)).expanduser() for path in several]
        twice = sorted({str(path) for path in paths if paths.count(path) > 1})
        if twice:
            raise UserError(
                f"`{argument}` must name every path once, but {twice[0]} is there twice."
            )
        found = dict(zip(short_names(paths), paths, strict=True))
    if not found or any(not name for name in found):
        raise UserError(f"`{argument}` must name at least one path, each with a name.")
    return found


def short_names(paths: Sequence[Path]) -> list[str]:
    """Shorten paths to the shortest endings that tell them apart, without a common ending.

    ``a/set5/lr`` and ``a/set14/lr`` become ``set5`` and ``set14``; a single path its last part.
    """
    parts = [path.resolve().parts for path in paths]
    if len(set(parts)) < len(parts):  # two ways to write one folder
        return [str(path) for path in paths]
    while len(parts) > 1 and len({ends[-1] for ends in parts}) == 1:
        parts = [ends[:-1] for ends in parts]
    for count in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(ends[-count:]) for ends in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def unused(name: str, taken: Mapping[str, Any]) -> str:
    """Append a number to a name that is taken."""
    number, new = 1, name
    while new in taken:
        number += 1
        new = f"{name}-{number}"
    return new
