"""Find the photos of a folder, and say which files were left out."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections import Counter
from functools import lru_cache
from pathlib import Path

from wildsr.error import UserError

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

# What a folder of our own results is told by; it is searched only where it is named itself.
RESULTS = {
    "a run": {"overrides.json", "config.yaml"},
    "an evaluation": {"results.json", "per_image.csv"},
    "pairs": {"degrade.json"},
}

_ENDING = re.compile(r"(?:[-_. ]?x[2348]|[-_](?:lr|hr)[2348]?)+$")
_SHOWN = 6  # suffixes that a line names


def list_images(folder: Path | str, argument: str) -> list[Path]:
    """List the photos below a folder, in an order that does not depend on the file system.

    What is left out is said in one line, once: files of other kinds with their suffixes, links
    that lead out of the folder, what is no regular file, folders that cannot be listed, folders of
    results (runs, evaluations, pairs) below the one that was named. Hidden
    files and folders are left out without a word.

    Args:
        folder: a folder, searched recursively, or one image file; either may be a link itself.
        argument: what the user calls it (``data.lr``), for messages.

    Returns:
        Paths sorted by their path below ``folder``.

    Raises:
        UserError: the folder is missing, cannot be listed or holds no image.
    """
    root = Path(folder).expanduser()
    must = f"Argument `{argument}` must be a folder of images ({KINDS})"
    try:
        kind = root.stat().st_mode
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        what = "does not exist" if missing else f"cannot be opened ({_reason(error)})"
        raise UserError(f"{must}, but {root} {what}.") from error
    if stat.S_ISREG(kind):
        if root.suffix.lower() in SUFFIXES or is_nameless(root):
            return [root]
        raise UserError(f"{must}, but got file {root}.")
    if not stat.S_ISDIR(kind):
        raise UserError(f"{must}, but {root} is neither a folder nor a regular file.")
    left = _LeftOut()
    found = _search(root, left, argument)
    if not found:
        raise UserError(f"{must}, but {root} holds none{left.because()}.")
    if words := left.words():
        say_once(f"`{argument}`: left out of {root}: {words}")
    return sorted(found, key=lambda path: path.relative_to(root).parts)


def without_results(photos: list[Path], output: Path, argument: str | None = None) -> list[Path]:
    """The photos that are not below the folder that results are written to.

    Args:
        photos: of :func:`list_images`.
        output: the folder, which need not exist.
        argument: what the user calls the photos; None lets there be none left.

    Raises:
        UserError: there are only results.
    """
    inside = os.path.realpath(output)
    kept = [path for path in photos if not _within(os.path.realpath(path), inside)]
    if argument is not None and not kept:
        raise UserError(f"Argument `{argument}` must hold photos, but all of them are in {output}.")
    return kept


def _search(root: Path, left: _LeftOut, argument: str) -> list[Path]:
    def refuse(error: OSError) -> None:
        if Path(error.filename) == root:
            raise UserError(
                f"Argument `{argument}`: folder {root} cannot be listed ({_reason(error)})."
            )
        left.closed.append(os.path.relpath(error.filename, root))

    inside, found, visited = os.path.realpath(root), [], set()
    for place, folders, files in os.walk(root, onerror=refuse, followlinks=True):
        # Links may form circles: enter every real folder once.
        visited.add(os.path.realpath(place))
        below = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(place, name))
            if name.startswith(".") or real in visited:
                continue
            if _within(real, inside):
                below.append(name)
            else:
                left.links += 1
        folders[:] = below
        if place != str(root) and (made := _made_by_us({*files})):
            left.results.append(f"{os.path.relpath(place, root)}, {made}")
            folders[:] = []
            continue
        for name in files:
            if name.startswith("."):
                continue
            path, suffix = Path(place, name), os.path.splitext(name)[1].lower()
            if suffix not in SUFFIXES and not is_nameless(path):
                left.kinds[suffix or "without suffix"] += 1
            elif path.is_symlink() and not _within(os.path.realpath(path), inside):
                left.links += 1
            elif not path.is_file():
                left.odd += 1
            else:
                found.append(path)
    return found


def is_nameless(path: Path) -> bool:
    """Whether a file without a suffix, or with one of digits, is DICOM, as such files often are."""
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


def _within(real: str, folder: str) -> bool:
    return real == folder or real.startswith(folder.rstrip(os.sep) + os.sep)


def _made_by_us(names: set[str]) -> str | None:
    """What a folder is, by the files in it, that is full of pictures which are no photos."""
    return next((made for made, marks in RESULTS.items() if marks <= names), None)


class _LeftOut:
    """What a search did not take."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.links = self.odd = 0
        self.closed: list[str] = []
        self.results: list[str] = []

    def words(self) -> str:
        """All of it in half a sentence; empty for nothing."""
        parts = []
        if self.kinds:
            named = [f"{count} {kind}" for kind, count in self.kinds.most_common(_SHOWN)]
            named += ["..."] if len(self.kinds) > _SHOWN else []
            parts.append(f"{_files(self.kinds.total())} of other kinds ({', '.join(named)})")
        if self.links:
            parts.append(f"{self.links} link{'s' * (self.links > 1)} that lead out of the folder")
        if self.odd:
            parts.append(f"{_files(self.odd)} that cannot be opened as regular files")
        if self.results:
            several = "s" * (len(self.results) > 1)
            parts.append(f"{len(self.results)} folder{several} of results ({self.results[0]})")
        if self.closed:
            several = "s" * (len(self.closed) > 1)
            first = self.closed[0]
            parts.append(f"{len(self.closed)} folder{several} that cannot be listed ({first})")
        return "; ".join(parts)

    def because(self) -> str:
        """The same as an explanation."""
        words = self.words()
        return f" (left out: {words})" if words else ""


def _files(count: int) -> str:
    return f"{count} file{'s' * (count > 1)}"


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


@lru_cache(maxsize=256)
def say_once(line: str) -> None:
    """Print a line about a file or folder of the user's, once in this process.

    The same folder is searched at several moments of one command.
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


def bare_stem(name: Path | str) -> str:
    """The name of a photo without folder, suffix and endings such as ``x4``, ``_lr``, ``_hr``.

    In lower case.

    ``0801x4.png`` and ``0801.png`` are the same photo, and so are ``a_LR.jpg`` and ``a_HR.png``.
    """
    stem = Path(name).stem.lower()
    return _ENDING.sub("", stem) or stem
