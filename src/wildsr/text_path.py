"""Paths for libraries that take names as text: a name on disk is bytes, and need not be text."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def text_path(path: Path) -> Iterator[str]:
    r"""The path as text that any library takes, while the context lasts.

    Libraries in C++ and Rust want UTF-8. Where a name is no text (``Stra\xdfe`` from an old ZIP),
    this is a link to the file, or to where it is to be written, in a temporary folder.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            suffix = path.suffix if path.suffix.isascii() else ""
            link = Path(folder) / f"file{suffix}"
            link.symlink_to(path.absolute())
            yield str(link)
    else:
        yield str(path)
