"""Photos that are not local files, and their temporary local copies."""

from __future__ import annotations

import shutil
import tempfile
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wildsr.atomic import refusal

ROOM = 1 << 20  # bytes that must find room, or no photo will


class Source(Protocol):
    """A photo that must be fetched; ``str()`` gives its name for messages."""

    def fetch(self, to: Path) -> None:
        """Write it to a local file.

        Raises:
            OSError: it does not exist, or the store does not answer.
        """
        ...


class Target(Protocol):
    """A destination of a result other than a local file; ``str()`` gives its name for messages."""

    @property
    def at_once(self) -> bool:
        """Whether several may be delivered at the same time."""
        ...

    @property
    def suffix(self) -> str:
        """Suffix of the file, with its dot."""
        ...

    def exists(self) -> bool:
        """Whether a complete result is there."""
        ...

    def deliver(self, made: Path) -> None:
        """Upload a complete file.

        Raises:
            OSError: the store does not accept it.
        """
        ...

    def refusal(self) -> str | None:
        """Why nothing can be written there at all; None if it can."""
        ...


@dataclass(frozen=True)
class PairPaths:
    """Where the two files of a pair are written on this machine."""

    hr: Path
    lr: Path


@dataclass(frozen=True)
class Pair:
    """The places of a pair, an HR and an LR photo: files of this machine, or what takes them.

    Args:
        hr: of the sharp photo.
        lr: of its LR, of the same kind.
    """

    hr: Path | Target
    lr: Path | Target

    def __str__(self) -> str:
        return str(self.lr)

    @property
    def at_once(self) -> bool:
        """Whether several may be delivered at the same time."""
        return isinstance(self.lr, Path) or self.lr.at_once

    @property
    def suffix(self) -> str:
        """Of the LR, with its dot."""
        return self.lr.suffix

    def exists(self) -> bool:
        """Whether both are there, whole."""
        return self.hr.exists() and self.lr.exists()

    def paths(self, scratch: Scratch) -> PairPaths:
        """Where both are to be written: under their names, or to files that are delivered then."""
        if isinstance(self.hr, Path) and isinstance(self.lr, Path):
            return PairPaths(self.hr, self.lr)
        lr = scratch.target(self.lr)
        return PairPaths(_beside(lr, self.hr.suffix), lr)

    def deliver(self, made: Path) -> None:
        """Take both there, the LR last.

        Args:
            made: the LR's file of :meth:`paths`.

        Raises:
            OSError: whoever keeps them does not take them.
        """
        if isinstance(self.hr, Path) or isinstance(self.lr, Path):
            return
        sharp = _beside(made, self.hr.suffix)
        try:
            self.hr.deliver(sharp)
            self.lr.deliver(made)
        finally:
            sharp.unlink(missing_ok=True)

    def refusal(self) -> str | None:
        """Why nothing at all can be written there; None where something can."""
        if isinstance(self.lr, Path):
            return refusal(self.lr.parent, ROOM)
        return self.lr.refusal()


def _beside(lr: Path, suffix: str) -> Path:
    return lr.with_name(f"{lr.stem}.hr{suffix}")


def file_of(target: Path | Target) -> Path | None:
    """The file of a result (of a pair, its LR) that lies here under its own name; else None."""
    last = target.lr if isinstance(target, Pair) else target
    return last if isinstance(last, Path) else None


class Scratch:
    """A temporary local folder, created when first needed and removed by :meth:`close`."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._one = threading.Lock()

    @property
    def folder(self) -> Path:
        """The folder; it exists."""
        with self._one:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="wildsr-"))
            return self._folder

    def source(self, source: Path | Source) -> Path:
        """The local file of a photo: itself, or a fetched copy.

        Raises:
            OSError: it cannot be fetched.
        """
        if isinstance(source, Path):
            return source
        path = self.folder / f"{uuid.uuid4().hex}{Path(str(source)).suffix}"
        try:
            source.fetch(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def target(self, target: Path | Target) -> Path:
        """The local file to which a result is written: the target itself, or a temporary file."""
        if isinstance(target, Path):
            return target
        return self.folder / f"{uuid.uuid4().hex}{target.suffix}"

    def forget(self, path: Path, place: Path | Source | Target) -> None:
        """Remove the temporary file of a photo that is not a local file."""
        if not isinstance(place, Path):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
