"""Tell a command's own results from the photos that it is to work on."""

from __future__ import annotations

import os
from pathlib import Path

from wildsr.error import UserError


class Results:
    """The files below the output folder (``path in results``), also through links.

    Args:
        output: the folder, which need not exist.
    """

    def __init__(self, output: Path) -> None:
        self.real = os.path.realpath(output)
        self._folders: dict[str, bool] = {}

    def __contains__(self, path: Path) -> bool:
        if path.is_symlink():
            return within(os.path.realpath(path), self.real)
        folder = os.path.dirname(path)
        if folder not in self._folders:
            self._folders = {folder: within(os.path.realpath(folder), self.real)}
        return self._folders[folder]

    def between(self, root: Path) -> bool:
        """Whether files below ``root`` may be results: one folder contains the other."""
        real = os.path.realpath(root)
        return within(self.real, real) or within(real, self.real)


def without_results(photos: list[Path], output: Path, argument: str | None = None) -> list[Path]:
    """Leave out the photos that are below the output folder.

    Args:
        photos: of :func:`wildsr.photo.folder.list_images`.
        output: the folder, which need not exist.
        argument: the user's name for the photos; None allows an empty result.

    Raises:
        UserError: all photos are results.
    """
    results = Results(output)
    kept = [path for path in photos if path not in results]
    if argument is not None and not kept:
        raise contains(output, argument)
    return kept


def contains(output: object, argument: str) -> UserError:
    """The error for an output folder in which all photos are."""
    return UserError(
        f"Argument `output`: {output} contains the photos of `{argument}`; name another folder."
    )


def within(real: str, folder: str) -> bool:
    """Whether a real path is a folder's, or below it."""
    return real == folder or real.startswith(folder.rstrip(os.sep) + os.sep)
