"""What a tar or zip file held before, to be kept in the one that takes its place."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Collection
from pathlib import Path

from wildsr.error import UserError, first_line


class Earlier:
    """The members of a tar or zip file that is whole.

    Of several members of one name the last counts, which is the one that readers take.

    Args:
        path: the file.
        kind: ".tar" or ".zip".

    Raises:
        UserError: it is not such a file, or a damaged one.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self._tar: tarfile.TarFile | None = None
        self._zip: zipfile.ZipFile | None = None
        try:
            if kind == ".tar":
                self._tar = tarfile.open(path, "r:")  # noqa: SIM115
                self._tars = {member.name: member for member in self._tar.getmembers()}
                self.names = frozenset(self._tars)
            else:
                self._zip = zipfile.ZipFile(path)
                self._zips = {member.filename: member for member in self._zip.infolist()}
                self.names = frozenset(self._zips)
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
            raise UserError(
                f"`output`: {path.name} is no whole {kind[1:]} file: {first_line(error)}; "
                "without `retry`, overwrite=true makes it again."
            ) from error

    def copy(self, to: tarfile.TarFile | zipfile.ZipFile | None, without: Collection[str]) -> None:
        """Append the members to another file of this kind, as they are.

        Args:
            to: the file.
            without: names of those that are left out.
        """
        if self._tar is not None and isinstance(to, tarfile.TarFile):
            for name, member in self._tars.items():
                if name not in without:
                    to.addfile(member, self._tar.extractfile(member) if member.isreg() else None)
        elif self._zip is not None and isinstance(to, zipfile.ZipFile):
            for name, info in self._zips.items():
                if name not in without:
                    to.writestr(info, self._zip.read(info))

    def close(self) -> None:
        """Close the file."""
        for opened in (self._tar, self._zip):
            if opened is not None:
                opened.close()
