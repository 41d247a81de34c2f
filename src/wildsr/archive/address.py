"""What a typed place is: a folder or file of this machine, or one of a remote store."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from wildsr.archive.store import Store
from wildsr.error import UserError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?::|//)")
_HERE = re.compile(r"(?:(?:simplecache|filecache|blockcache)::)?(?:file|local)://", re.IGNORECASE)

Place = Path | Store


def is_url(place: str) -> bool:
    """Whether a place is a URL, not a local path."""
    return _URL.match(place) is not None


def local(place: str) -> str:
    """The path that the URL of a local file or folder means; other places as they are.

    So that photos are the same ones in whichever way they are named.
    """
    found = _HERE.match(place)
    if found is None:
        return place
    path = place[found.end() :]
    return path[1:] if os.name == "nt" and re.match("/[A-Za-z]:", path) else path


def place_of(text: str, argument: str) -> Place:
    """A folder of this machine or of a store; a zip file that is read is one, too."""
    text = local(text)
    if is_url(text):
        return Store(text, argument)
    path = Path(text).expanduser()
    if argument != "output" and path.suffix.lower() == ".zip":
        return Store(f"zip://::{path.absolute()}", argument)
    return path


@contextmanager
def open_stream(name: str, argument: str = "input") -> Iterator[IO[bytes]]:
    """A tar file, as a stream."""
    name = local(name)
    if is_url(name):
        folder, last = split_place(name)
        store = Store(folder, argument)
        try:
            file: Any = store.fs.open(store.path(last), "rb")
        except FileNotFoundError as error:
            raise UserError(f"`{argument}`: {name} does not exist.") from error
    else:
        try:
            file = Path(name).expanduser().open("rb")
        except OSError as error:
            raise UserError(f"`{argument}`: {name} cannot be opened: {error.strerror}.") from error
    with file:
        yield file


def same_file(one: str, other: str) -> bool:
    """Whether two names mean one file, here or in a store; of a zip file's URL, that file."""
    places = []
    for name in (one, other):
        file = name.rpartition("::")[2] if is_url(name) else name
        folder, last = split_place(file)
        places.append((place_of(folder, "output"), last))
    (first, name), (second, other_name) = places
    if isinstance(first, Path) and isinstance(second, Path):
        return _is_same(first / name, second / other_name)
    if isinstance(first, Store) and isinstance(second, Store):
        paths = first.path(name), second.path(other_name)
        return bool(first.fs == second.fs) and paths[0] == paths[1]
    return False


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one is not there
        return one.resolve() == other.resolve()


def split_place(place: str) -> tuple[str, str]:
    """The folder and the name of a file, here or in a store."""
    place = local(place)
    if is_url(place):
        folder, name = posixpath.split(place)
        return folder, name
    path = Path(place).expanduser()
    return str(path.parent), path.name
