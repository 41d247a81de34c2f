"""Paths for libraries that take names as text: file names on disk are bytes, not always text."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def text_path(path: Path) -> Iterator[str]:
    r"""The path as text that any library accepts, within the context.

    Libraries in C++ and Rust want UTF-8. If a name is not valid text (``Stra\xdfe`` from an old
    ZIP), a link to the file in a temporary folder is given instead.
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
