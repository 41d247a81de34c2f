"""Photos in remote stores, through fsspec: ``s3://``, ``gs://``, ``sftp://``, ``zip://``."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from wildsr.archive.manifest import FOLDER
from wildsr.error import UserError, first_line
from wildsr.extra import needed
from wildsr.photo.folder import KINDS, SUFFIXES, say_once

EXTRA = "remote"
# Protocols that write objects atomically; in other stores a file is written under another name and
# renamed.
WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "tos", "memory"}
READ_ONLY = {"http", "https", "zip", "tar", "libarchive", "github", "git", "hf"}
_SECRET = re.compile(r"(?<=://)[^/@\s]*:[^/\s]*@")  # a password may hold @


class Store:
    """A folder in a remote store.

    Args:
        url: as fsspec takes it: ``s3://bucket/folder``, ``zip://inside::photos.zip``. Credentials
            are found where the store's own tools find them.
        argument: the user's name for it, for messages.

    Raises:
        UserError: fsspec, or the package that it needs for this store, is not installed; the store
            is unknown or cannot be opened.
    """

    def __init__(self, url: str, argument: str) -> None:
        self.url, self.argument = url.rstrip("/"), argument
        self._open()

    def __getstate__(self) -> dict[str, str]:
        return {"url": self.url, "argument": self.argument}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.url, self.argument = state["url"], state["argument"]
        self._open()

    def _open(self) -> None:
        core = needed("fsspec.core", EXTRA, f"`{self.argument}={self}`")
        try:
            # Listings of a million objects must not stay in memory.
            options = {"use_listings_cache": False} if "::" not in self.url else {}
            found = core.url_to_fs(self.url, **options)
        except ImportError as error:
            raise UserError(
                f"`{self.argument}={self}`: {first_line(error)} (pip install 'wildsr[{EXTRA}]' "
                "brings s3fs; gs:// needs gcsfs, sftp:// paramiko, abfs:// adlfs)."
            ) from error
        except Exception as error:  # each store has its own types of errors
            raise self._cannot(error) from error
        self.fs: Any = found[0]
        self.root: str = found[1] if found[1] == "/" else found[1].rstrip("/")
        kinds = self.fs.protocol
        self.kinds = {kinds} if isinstance(kinds, str) else set(kinds)

    def __str__(self) -> str:
        return _SECRET.sub("", self.url)

    @property
    def read_only(self) -> bool:
        """Whether the store cannot be written to, or not file by file."""
        return bool(self.kinds & READ_ONLY)

    def path(self, name: str) -> str:
        """The path of a file below the folder, as fsspec takes it."""
        return posixpath.join(self.root, name) if name else self.root

    def walk(self) -> Iterator[list[str]]:
        """Find the photos, as :func:`wildsr.photo.folder.walk_images` does in a local folder.

        Each folder is listed as a whole: with a million objects below one prefix, the first photo
        comes late.

        Raises:
            UserError: the folder does not exist, cannot be listed, or holds no photo.
        """
        waiting, some, others = [[""]], False, 0
        while waiting:
            names: list[str] = []
            below: dict[str, list[str]] = {}
            for place in waiting.pop():
                for name, folder in self._listed(place):
                    inside = posixpath.join(place, name)
                    if folder:
                        below.setdefault(name.lower(), []).append(inside)
                    elif posixpath.splitext(name)[1].lower() in SUFFIXES:
                        names.append(inside)
                    else:
                        others += 1
            waiting += [sorted(below[name]) for name in sorted(below, reverse=True)]
            if names:
                some = True
                yield sorted(names)
        left = f"{others} file{'s' * (others > 1)} of other kinds" if others else ""
        if not some:
            because = f" (left out: {left})" if left else ""
            raise UserError(
                f"Argument `{self.argument}` must hold images ({KINDS}), but {self} holds none"
                f"{because}."
            )
        if left:
            say_once(f"`{self.argument}`: left out of {self}: {left}")

    def exists(self, name: str) -> bool:
        """Whether a file exists."""
        return bool(self.fs.exists(self.path(name)))

    def fetch(self, name: str, to: Path) -> None:
        """Download a file, piece by piece."""
        self.fs.get_file(self.path(name), str(to))

    def deliver(self, made: Path, name: str) -> None:
        """Upload a file, which appears only when it is complete, as far as the store allows that.

        Object stores do. In a store with renaming (sftp, smb, hdfs, file) it is written under a
        hidden name first. If the store implements renaming as copying, a reader may see a part of
        the file.
        """
        path = self.path(name)
        if self.kinds & WHOLE:
            if "memory" in self.kinds:
                self.fs.pipe_file(path, made.read_bytes())
            else:
                self.fs.put_file(str(made), path)
            return
        folder, last = posixpath.split(path)
        hidden = f"{folder}/.{uuid.uuid4().hex}{posixpath.splitext(last)[1]}.part"
        self.fs.makedirs(folder, exist_ok=True)
        try:
            self.fs.put_file(str(made), hidden)
            self.fs.mv(hidden, path)
        except BaseException:
            with contextlib.suppress(Exception):
                self.fs.rm_file(hidden)
            raise

    def refusal(self) -> str | None:
        """Why nothing can be written there; None if it can."""
        probe = self.path(f"{FOLDER}/{uuid.uuid4().hex}.probe")
        try:
            if not self.kinds & WHOLE:
                self.fs.makedirs(posixpath.dirname(probe), exist_ok=True)
            self.fs.pipe_file(probe, b"x")
            self.fs.rm_file(probe)
        except Exception as error:
            return said_of(error)
        return None

    def put(self, name: str, data: bytes) -> None:
        """Write a manifest.

        Raises:
            OSError: it cannot be written.
        """
        path = self.path(f"{FOLDER}/{name}")
        try:
            if not self.kinds & WHOLE:
                self.fs.makedirs(posixpath.dirname(path), exist_ok=True)
            self.fs.pipe_file(path, data)
        except Exception as error:
            raise OSError(said_of(error)) from error

    def create(self, name: str, data: bytes) -> None:
        """Write a small file that must not exist, where the store can refuse to replace one.

        Raises:
            FileExistsError: it exists.
        """
        path = self.path(name)
        if not self.kinds & WHOLE:
            self.fs.makedirs(posixpath.dirname(path), exist_ok=True)
        try:
            self.fs.pipe_file(path, data, mode="create")
        except (TypeError, NotImplementedError) as error:  # stores that know no modes
            if self.fs.exists(path):
                raise FileExistsError(path) from error
            self.fs.pipe_file(path, data)

    def files(self, place: str) -> list[str]:
        """Names of the files in a folder below the store's, hidden ones left out; none if none."""
        return [name for name, folder in self._listed(place, missing=True) if not folder]

    def folders(self, place: str) -> list[str]:
        """Names of the folders in a folder below the store's, hidden ones left out."""
        return [name for name, folder in self._listed(place, missing=True) if folder]

    def texts(self) -> Iterator[str]:
        """The contents of the manifests in the store."""
        for name, folder in sorted(self._listed(FOLDER, missing=True)):
            if not folder and name.endswith(".jsonl"):
                yield self.fs.cat_file(self.path(f"{FOLDER}/{name}")).decode("utf-8", "replace")

    def _listed(self, place: str, missing: bool = False) -> Iterator[tuple[str, bool]]:
        """Names in a folder, hidden ones left out, and whether each is a folder."""
        try:
            found = self.fs.ls(self.path(place), detail=True)
        except FileNotFoundError as error:
            if missing or place:
                return
            raise UserError(f"`{self.argument}`: {self} does not exist.") from error
        except Exception as error:
            raise self._cannot(error) from error
        here = self.path(place).strip("/")
        for entry in found:
            whole = str(entry["name"]).strip("/")
            name = posixpath.basename(whole)
            if whole != here and name and not name.startswith("."):  # a prefix may be an object
                yield name, entry["type"] == "directory"

    def _cannot(self, error: Exception) -> UserError:
        return UserError(f"`{self.argument}`: {self} cannot be opened: {said_of(error)}.")


def said_of(error: Exception) -> str:
    """The message of a store's error, without the password that its address may hold."""
    return _SECRET.sub("", first_line(error))


@dataclass(frozen=True)
class Stored:
    """A file of a store: a photo to fetch, or the place of a result.

    Args:
        store: the store.
        name: path below its folder, with ``/``.
    """

    store: Store
    name: str

    at_once: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"{self.store}/{self.name}"

    @property
    def suffix(self) -> str:
        """Suffix of the file, with its dot."""
        return os.path.splitext(self.name)[1]

    def fetch(self, to: Path) -> None:
        """Download it."""
        self.store.fetch(self.name, to)

    def exists(self) -> bool:
        """Whether it exists."""
        return self.store.exists(self.name)

    def deliver(self, made: Path) -> None:
        """Upload it."""
        self.store.deliver(made, self.name)

    def refusal(self) -> str | None:
        """Why nothing can be written there."""
        return self.store.refusal()
