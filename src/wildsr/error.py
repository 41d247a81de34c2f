"""The error for mistakes of users, and help to word it in one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake a user can make; the commands print it as one sentence, without a stack trace."""


def first_line(error: BaseException) -> str:
    """The message of an error in one line; its type if it has no message.

    If the first line ends in a colon, the reason is in the next one.
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = next(iter(lines), "")
    if said.rstrip().endswith(":") and len(lines) > 1:
        said = f"{said.rstrip()} {lines[1].strip()}"
    return said or type(error).__name__


def shortened(value: object, quotes: str = "'") -> str:
    """A value for a message: its Python representation, cut off if it is long.

    Args:
        value: the value that was given.
        quotes: "" leaves text without quotes.
    """
    text = value if isinstance(value, str) and not quotes else repr(value)
    return text if len(text) <= 200 else f"{text[:150]}... ({len(text)} characters)"


def unknown(argument: str, value: object, choices: Iterable[str]) -> UserError:
    """Create the error for a name that is not among ``choices``, suggesting the nearest one.

    Args:
        argument: the user's name for the argument ("Term `cycle`: tensor").
        value: the value that was given.
        choices: the names that exist.
    """
    names = sorted(choices)
    hint = nearest(str(value), names)
    return UserError(f"{argument} must be one of {names}, but got {shortened(value)}.{hint}")


def nearest(value: str, choices: Iterable[str]) -> str:
    """The end of a sentence: " Did you mean ...?" with the choice nearest to ``value``, or ""."""
    names = {name.lower(): name for name in choices}  # PNG is png
    near = difflib.get_close_matches(value.lower(), list(names), n=1, cutoff=0.5)
    return f" Did you mean {names[near[0]]!r}?" if near else ""
