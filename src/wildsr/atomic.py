"""A file that appears under its name when it is complete, or not at all."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import psutil

from wildsr.error import UserError

LONGEST = 255  # bytes of a name, on nearly every file system
ROOM = 40  # of them, for what a hidden name has beside the file's own


class Partial:
    """A hidden file beside ``target``, to be written and then kept or discarded.

    A process that is killed leaves it behind; the next one for the same target removes it.

    Args:
        target: the final name; its folder is made.

    Raises:
        UserError: the folder cannot be written to.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{_brief(target.name)}.{os.getpid()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._sweep()
            self.path.touch()
        except OSError as error:
            raise UserError(f"{target} cannot be written: {error.strerror}.") from error

    def keep(self) -> None:
        """Give the file its name; what had this name is replaced.

        Raises:
            UserError: the file system refuses.
        """
        try:
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())  # or a power cut could leave the name without the content
            os.replace(self.path, self.target)
        except OSError as error:
            self.discard()
            raise UserError(f"{self.target} cannot be written: {error.strerror}.") from error

    def discard(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        ours = re.compile(re.escape(f".{_brief(self.target.name)}.") + r"(\d+)\.part")
        for path in self.target.parent.iterdir():
            found = ours.fullmatch(path.name)
            if found and not psutil.pid_exists(int(found.group(1))):
                path.unlink(missing_ok=True)


def _brief(name: str) -> str:
    """A file's name, with room for more behind it: a digest where it is as long as names get."""
    if len(os.fsencode(name)) <= LONGEST - ROOM:
        return name
    return hashlib.blake2b(os.fsencode(name), digest_size=16).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8; the bytes of names that are no text as escapes."""
    partial = path.with_name(f".{_brief(path.name)}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    os.replace(partial, path)
