"""Folders of this machine that stand for places elsewhere: names at once, photos when needed."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

from wildsr.archive.address import is_url, local, open_stream, place_of
from wildsr.archive.container import samples, shards_of
from wildsr.archive.place import Scratch
from wildsr.archive.store import Store, Stored
from wildsr.error import UserError


class Mirror:
    """Stands for folders of stores, zip files and tar files; removed by :meth:`close`.

    The photos of a store have their names at once, and are fetched by :meth:`need`, one by one; a
    tar file is read from its beginning to its end.
    """

    def __init__(self) -> None:
        self._scratch = Scratch()
        self._waiting: dict[Path, Stored] = {}
        self._one = threading.Lock()

    def folder(self, place: str, argument: str) -> str:
        """The folder that stands for a place; a folder or a file of this machine is its own.

        Args:
            place: a path, a URL of fsspec's, a zip file, tar files (one, or a range).
            argument: what the user calls it, for messages.

        Raises:
            UserError: it is not there, or holds no photo.
        """
        if place.lower().endswith(".tar"):
            return str(self._of_tars(place, argument))
        found = place_of(place, argument)
        if not isinstance(found, Store):
            return local(place)
        here = self._named(place)
        for names in found.walk():
            for name in names:
                path = here / _below(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                self._waiting[path] = Stored(found, name)
        return str(here)

    def need(self, path: Path) -> None:
        """Fetch a photo, if it is one that has not been.

        Raises:
            UserError: whoever keeps it does not give it.
        """
        with self._one:
            source = self._waiting.pop(path, None)
            if source is None:
                return
            try:
                source.fetch(path)
            except Exception as error:  # each store has errors of its own
                self._waiting[path] = source
                raise UserError(f"{source} cannot be fetched: {error}.") from error

    def need_all(self, folder: Path) -> None:
        """Fetch all photos below a folder that this stands for."""
        for path in [path for path in self._waiting if folder in path.parents]:
            self.need(path)

    def close(self) -> None:
        """Remove the folders."""
        self._scratch.close()

    def _named(self, place: str) -> Path:
        """A new folder that ends as the place does, so that sets keep their names."""
        parts = [part for part in re.split(r"[/:\\]+", place) if part not in ("", ".", "..")]
        here = self._scratch.folder.joinpath(str(len(os.listdir(self._scratch.folder))), *parts)
        here.mkdir(parents=True)
        return here

    def _of_tars(self, place: str, argument: str) -> Path:
        here, some = self._named(place.removesuffix(".tar")), False
        for number, name in enumerate(shards_of(place)):
            with open_stream(name, argument) as stream:
                for sample in samples(stream, name):
                    if sample.photo is None:
                        continue
                    path = here / _below(sample.photo)
                    if path.exists():  # another shard has a photo of that name
                        path = here / f"{number:06d}" / _below(sample.photo)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    sample.fetch(path)
                    some = True
        if not some:
            raise UserError(f"Argument `{argument}` must hold images, but {place} holds none.")
        return here


def _below(name: str) -> Path:
    """A name as a path that leads nowhere but down."""
    return Path(*[part for part in name.split("/") if part not in ("", ".", "..")])


def elsewhere(place: str) -> bool:
    """Whether a place is no folder of this machine."""
    return is_url(place) or place.lower().endswith((".tar", ".zip"))
