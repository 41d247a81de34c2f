"""Messages to visitors: sentences as HTML, errors without paths."""

from __future__ import annotations

import html
import re

from wildsr.app.session import Stored
from wildsr.error import UserError, first_line

FOLDERS = re.compile(r"(?<![\w.])/(?:[^/\s]+/)+")


def said(sentence: str, wrong: bool = False) -> str:
    """A sentence as HTML; all of it is escaped."""
    kind = ' class="wrong"' if wrong else ""
    return f"<p{kind}>{html.escape(sentence)}</p>"


def told(error: Exception, photo: Stored | None) -> str:
    """An error as a sentence, in which files have the visitor's names for them, without folders."""
    sentence = first_line(error)
    if photo is not None:
        if not isinstance(error, UserError):
            sentence = f"{photo.name} cannot be read: {sentence}"
        sentence = sentence.replace(str(photo.path), photo.name)
        sentence = sentence.replace(photo.path.name, photo.name)
    return FOLDERS.sub("", sentence)
