"""Find the photos of a folder, and report which files were left out."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from wildsr.error import UserError
from wildsr.photo.left_out import LeftOut
from wildsr.photo.own_results import within
from wildsr.photo.searching import Searching, virtual_around, virtual_below

# What phones, cameras and browsers call the formats that are read,
RAW = (
    *(".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".sr2", ".orf", ".rw2", ".raf"),
    *(".pef", ".srw", ".rwl", ".iiq", ".3fr", ".erf", ".mrw", ".x3f"),
)
# and what sensors' programs do.
MEASURED = (".btf", ".tf8", ".tf2", ".npy", ".npz", ".dcm", ".dicom", ".ima")
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"),
    *(".jpe", ".jfif", ".gif", ".avif", ".heic", ".heif", ".hif"),
    *RAW,
    *MEASURED,
)
KINDS = "png, jpg, jpeg, webp, tif, tiff, bmp, gif, avif, heic, dng, npy, npz, dcm, ..."
LOG = logging.getLogger("wildsr.photo")

# Files by which a folder of wildsr's results is recognised; it is only searched if named itself.
RESULTS = {
    "a run": {"overrides.json", "config.yaml"},
    "an evaluation": {"results.json", "per_image.csv"},
    "pairs": {"degrade.json"},
}

_ENDING = re.compile(r"(?:[-_. ]?x[2348]|[-_](?:lr|hr)[2348]?)+$")
_SUFFIXES = frozenset(SUFFIXES)


def list_images(folder: Path | str, argument: str) -> list[Path]:
    """List the photos below a folder, in an order that does not depend on the file system.

    One line is printed, once, about what is left out: files of other kinds with their suffixes,
    links that lead out of the folder, special files, folders that cannot be listed, virtual file
    systems such as /proc, and folders of results (runs, evaluations, pairs) below the given one.
    Another line says after two seconds, and then more and more rarely, that the search goes on.
    Hidden files and folders are left out silently.

    Args:
        folder: a folder, searched recursively, or one image file; either may be a link itself.
        argument: the user's name for it (``data.lr``), for messages.

    Returns:
        Paths sorted by their path below ``folder``.

    Raises:
        UserError: the folder is missing, cannot be listed or holds no image.
    """
    root = Path(folder).expanduser()
    if _is_file(root, argument):
        return [root]
    names = [name for batch in _found(root, argument, False) for name in batch]
    return [root / name for name in sorted(names, key=lambda name: name.split(os.sep))]


def walk_images(folder: Path | str, argument: str) -> Iterator[list[str]]:
    """Find the photos below a folder, one folder after the other.

    Work on the first photos can begin while others are still being found, and only the names of one
    folder are in memory. What is left out is printed as by :func:`list_images`, at the end.

    Args:
        folder: searched recursively; may be a link itself.
        argument: the user's name for it, for messages.

    Yields:
        For each folder with photos, their paths below ``folder``, sorted. Folders whose paths
        differ only in case come together: on other file systems they may be one folder.

    Raises:
        UserError: as :func:`list_images`; that there is no image is only known at the end.
    """
    root = Path(folder).expanduser()
    if _is_file(root, argument):
        raise UserError(f"Argument `{argument}` must be a folder of images, but got file {root}.")
    yield from _found(root, argument, True)


def _found(root: Path, argument: str, shown: bool) -> Iterator[list[str]]:
    """As :func:`walk_images`; ``shown``: what becomes of the photos is seen while they come."""
    if (kind := virtual_around(os.path.realpath(root))) is not None:
        raise UserError(
            f"{_must(argument)}, but {root} is no disk: the system shows itself there ({kind})."
        )
    left, searching, some = LeftOut(), Searching(root, argument), False
    for batch in _walk(root, left, argument, searching):
        some = True
        yield batch
        if shown:
            searching.hand_over()
    if not some:
        raise UserError(f"{_must(argument)}, but {root} holds none{left.because()}.")
    if words := left.words():
        say_once(f"`{argument}`: left out of {root}: {words}")


def _must(argument: str) -> str:
    return f"Argument `{argument}` must be a folder of images ({KINDS})"


def _is_file(root: Path, argument: str) -> bool:
    """Whether it is one photo; else it is a folder.

    Raises:
        UserError: it is neither.
    """
    must = _must(argument)
    try:
        kind = root.stat().st_mode
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        what = "does not exist" if missing else f"cannot be opened ({_reason(error)})"
        raise UserError(f"{must}, but {root} {what}.") from error
    if stat.S_ISREG(kind):
        if root.suffix.lower() in SUFFIXES or is_nameless(root):
            return True
        raise UserError(f"{must}, but got file {root}.")
    if not stat.S_ISDIR(kind):
        raise UserError(f"{must}, but {root} is neither a folder nor a regular file.")
    return False


def _walk(root: Path, left: LeftOut, argument: str, searching: Searching) -> Iterator[list[str]]:
    """The names of photos below ``root``, folder by folder, each sorted, none empty."""
    inside = os.path.realpath(root)
    left.virtual = virtual_below(inside)
    if left.virtual:  # nobody's photos lie in / itself
        say_once(
            f"`{argument}`: {root} is more than photos: it holds {', '.join(left.virtual[:3])}. "
            f"The search leaves those out; `{argument}` should name the folder of photos."
        )
    visited = set(left.virtual)  # links may form circles: enter every real folder once
    waiting = [[("", inside)]]  # (path below root, real path); those of one name, but for its case
    while waiting:
        names: list[str] = []
        below: dict[str, list[tuple[str, str]]] = {}
        for place, real in waiting.pop():
            visited.add(real)
            entries = _entries(root, place, left, argument)
            searching.folders += 1
            folders: list[os.DirEntry[str]] = []
            files: list[os.DirEntry[str]] = []
            for entry in entries:
                (folders if _is(entry, os.DirEntry.is_dir) else files).append(entry)
            searching.tick()
            if place and (made := _made_by_us({entry.name for entry in files})):
                left.results.append(f"{place}, {made}")
                continue
            before = f"{place}{os.sep}" if place else ""
            for entry in files:
                searching.tick()
                if _is_photo(entry, inside, left):
                    searching.photos += 1
                    names.append(before + entry.name)
            for entry in folders:
                if entry.name.startswith("."):
                    continue
                follow = entry.is_symlink()
                target = os.path.realpath(entry.path) if follow else os.path.join(real, entry.name)
                if target in visited:
                    continue
                if not within(target, inside):
                    left.links += 1
                    continue
                found = (os.path.join(place, entry.name), target)
                below.setdefault(entry.name.lower(), []).append(found)
        waiting += [sorted(below[name]) for name in sorted(below, reverse=True)]
        if names:
            yield sorted(names)


def _entries(root: Path, place: str, left: LeftOut, argument: str) -> list[os.DirEntry[str]]:
    """What a folder holds; of one that cannot be listed nothing, which is noted.

    Raises:
        UserError: it is the one that the user named.
    """
    try:
        with os.scandir(os.path.join(root, place)) as found:
            return list(found)
    except OSError as error:
        if not place:
            raise UserError(
                f"Argument `{argument}`: folder {root} cannot be listed ({_reason(error)})."
            ) from error
        left.closed.append(place)
        return []


def _is(entry: os.DirEntry[str], kind: Callable[[os.DirEntry[str]], bool]) -> bool:
    """What the entry says of its kind; a link to itself, or into a closed folder, is of none."""
    try:
        return kind(entry)
    except OSError:
        return False


def _is_photo(entry: os.DirEntry[str], inside: str, left: LeftOut) -> bool:
    """Whether a file is a photo by its name and kind; what it is else is noted."""
    name = entry.name
    if name[0] == ".":
        return False
    dot = name.rfind(".")
    suffix = name[dot:].lower() if dot > 0 else ""
    if suffix not in _SUFFIXES and not is_nameless(Path(entry.path)):
        left.kinds[suffix or "without suffix"] += 1
    elif entry.is_symlink() and not within(os.path.realpath(entry.path), inside):
        left.links += 1
    elif not _is(entry, os.DirEntry.is_file):
        left.odd += 1
    else:
        return True
    return False


def is_nameless(path: Path) -> bool:
    """Whether a file without a suffix, or with a numeric one, is DICOM, as such files often are."""
    suffix = path.suffix
    if suffix and not suffix[1:].isdigit():
        return False
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _made_by_us(names: set[str]) -> str | None:
    """What a folder is, by the files in it, that is full of pictures which are no photos."""
    return next((made for made, marks in RESULTS.items() if marks <= names), None)


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


@lru_cache(maxsize=256)
def say_once(line: str) -> None:
    """Print a warning about a user's file or folder, once in this process.

    The same folder may be searched several times by one command.
    """
    LOG.warning("%s", line)


def relative_names(paths: list[Path]) -> list[str]:
    """Paths relative to the deepest folder that all share, with ``/`` on every system."""
    if not paths:
        return []
    try:
        shared = Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError:  # Different drives, or absolute and relative ones: nothing is shared.
        return [path.as_posix() for path in paths]
    return [path.relative_to(shared).as_posix() for path in paths]


def flat_names(photos: list[Path]) -> list[str]:
    """Names for what is made of photos, in one folder: paths without suffix, ``_`` for ``/``.

    No two are alike, also where upper and lower case are the same.
    """
    found: list[str] = []
    taken: set[str] = set()
    for relative in relative_names(photos):
        plain = os.path.splitext(relative)[0].replace("/", "_")
        name, count = plain, 2
        while name.lower() in taken:  # a.png and a.jpg
            name, count = f"{plain}-{count}", count + 1
        taken.add(name.lower())
        found.append(name)
    return found


def bare_stem(name: Path | str) -> str:
    """The name of a photo without folder, suffix and endings such as ``x4``, ``_lr``, ``_hr``.

    In lower case; used to pair LR and HR files: ``0801x4.png`` and ``0801.png`` are the same photo,
    and so are ``a_LR.jpg`` and ``a_HR.png``.
    """
    stem = Path(name).stem.lower()
    return _ENDING.sub("", stem) or stem
