"""What a user can get wrong, said in one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake a user can make; the commands print it as one sentence, without a stack trace."""


def first_line(error: BaseException) -> str:
    """What went wrong in one line, also where an error has no text."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def shortened(value: object, quotes: str = "'") -> str:
    """A value for a message: as it is written in Python, or its beginning where it is long.

    Args:
        value: what was given.
        quotes: "" leaves text without quotes.
    """
    text = value if isinstance(value, str) and not quotes else repr(value)
    return text if len(text) <= 200 else f"{text[:150]}... ({len(text)} characters)"


def unknown(argument: str, value: object, choices: Iterable[str]) -> UserError:
    """The error for a name that is not among ``choices``, with the nearest one.

    Args:
        argument: what was being named, as the user knows it ("Term `cycle`: tensor").
        value: what was given.
        choices: the names that exist.
    """
    names = sorted(choices)
    hint = nearest(str(value), names)
    return UserError(f"{argument} must be one of {names}, but got {shortened(value)}.{hint}")


def nearest(value: str, choices: Iterable[str]) -> str:
    """A sentence's end: " Did you mean ...?" with the choice nearest to ``value``, or nothing."""
    near = difflib.get_close_matches(value, list(choices), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
