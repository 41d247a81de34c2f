"""Parse overrides: ``key=value`` in Hydra's grammar, or taken literally.

A configuration lists its literal values by ``literal: {KEY: KIND}``, where KIND is

- ``path``: one path;
- ``paths``: a path, ``[PATH, PATH]`` or ``{NAME: PATH, NAME: PATH}``; in a list or mapping, a path
  may be quoted (and must be if it holds a comma);
- ``text``: anything.

File systems allow nearly every character in a name: such values do not pass through the grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from wildsr.error import UserError, first_line, shortened

LONGEST = 4096  # bytes of a path on Linux; elsewhere fewer
LONGEST_NAME = 255  # bytes of each of its parts
QUOTES = ("'", '"')
# Strings that Hydra's grammar reads as themselves, not as a number, a boolean or null.
PLAIN = re.compile(r"(?!(?i:null|true|false|nan|inf)$)[A-Za-z_/~][\w./+-]*")
_ITEM = re.compile(r"""\s*('[^']*'|"[^"]*"|[^,]*?)\s*(?:,|$)""")
_PAIR = re.compile(r"""\s*([^:,{}]+?)\s*:\s*('[^']*'|"[^"]*"|[^,]*?)\s*(?:,|$)""")


@dataclass(frozen=True)
class Override:
    """One override of a command line.

    Attributes:
        typed: the word as typed.
        sign: "", "+" (a new key), "++" (new or not) or "~" (remove the key).
        key: with dots, or a group with slashes.
        value: the text after the first "="; None for "~key".
    """

    typed: str
    sign: str
    key: str
    value: str | None

    @classmethod
    def of(cls, typed: str) -> Override:
        """Parse one word of a command line.

        Raises:
            UserError: it is not ``key=value``.
        """
        if typed in ("-m", "--multirun"):
            raise UserError(
                f"`{typed}`: one command is one run; for many, see `wildsr sweep --help`: "
                "`wildsr sweep 'search={seed: [0, 1, 2]}'`."
            )
        found = re.fullmatch(r"(\+\+|\+|~)?([^-+~=\s][^=\s]*)(?:=(.*))?", typed, re.DOTALL)
        if found is None or (found[3] is None and found[1] != "~"):
            raise UserError(f"Arguments are key=value, but got {shortened(typed)}.")
        return cls(typed, found[1] or "", found[2], found[3])

    def parsed(self) -> Any:
        """The value, parsed by Hydra's grammar.

        Raises:
            UserError: it does not follow the grammar, or is a sweep over several values.
        """
        text = f"{self.key}={self.value}"
        try:
            override = OverridesParser.create().parse_override(text)
            sweeps = override.is_sweep_override()
            value = None if sweeps else override.value()
        except RecursionError:
            raise UserError(f"`{self.key}`: {shortened(self.value)} nests too deeply.") from None
        except Exception as error:  # for some texts Hydra's parser raises other types
            why = shortened(first_line(error), "").rstrip(".")
            raise UserError(f"`{self.key}` cannot be {shortened(self.value)}: {why}.") from error
        if sweeps:
            raise UserError(
                f"`{self.key}` must be one value, but got {shortened(self.value)}; a list is "
                f"`{self.key}=[...]`, and each run is a command of its own."
            )
        return value

    def literal(self, kind: str) -> Any:
        """The value taken literally, by its kind: one path or text, or several paths.

        Raises:
            UserError: it is empty, or a path that no file system takes.
        """
        assert self.value is not None
        if self.value in ("null", "???"):
            return None if self.value == "null" else "???"
        if not self.value:
            what = "text" if kind == "text" else "a path"
            raise UserError(f"`{self.key}` must be {what}, but got nothing; null is for none.")
        several = _several(self.value) if kind == "paths" else None
        paths = [self.value] if several is None else list(several)
        for path in several.values() if isinstance(several, dict) else paths:
            _check_length(self.key, path, kind)
        return self.value if several is None else several


def written(value: bool | int | float | str | None) -> str:
    """A plain value as a user types it in Hydra's grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if PLAIN.fullmatch(value):
        return value
    # A backslash escapes only in front of a quote, or of such backslashes.
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), value)
    return f"'{escaped}'"


def _check_length(key: str, path: str, kind: str) -> None:
    def size(text: str) -> int:
        return len(text.encode("utf-8", "surrogateescape"))

    if "\0" in path:
        raise UserError(f"`{key}` must be without zero bytes, but got {shortened(path)}.")
    longest = max(map(size, path.split("/")))
    if kind != "text" and (size(path) > LONGEST or longest > LONGEST_NAME):
        raise UserError(
            f"`{key}` must be a path of names of up to {LONGEST_NAME} bytes, {LONGEST} in all, but "
            f"got {size(path)} bytes: {shortened(path)}."
        )
    if kind == "text" and longest > LONGEST:
        raise UserError(f"`{key}` must be up to {LONGEST} bytes, but got {size(path)}.")


def _several(value: str) -> list[str] | dict[str, str] | None:
    """``[DIR, DIR]`` or ``{name: DIR}``; None for anything else, and for a path of such a name."""
    inner = value[1:-1]
    if value[:1] + value[-1:] not in ("[]", "{}") or len(value) < 2 or _exists(value):
        return None
    if value[0] == "[":
        found, at = [], 0
        while at < len(inner):
            item = _ITEM.match(inner, at)
            if item is None:
                return None
            found.append(_unquoted(item[1]))
            at = item.end()
        return found
    named, at = {}, 0
    while at < len(inner):
        pair = _PAIR.match(inner, at)
        if pair is None:
            return None
        named[_unquoted(pair[1])] = _unquoted(pair[2])
        at = pair.end()
    return named


def _exists(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, RuntimeError):  # too long a name; an unknown user's home
        return False


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in QUOTES else text
