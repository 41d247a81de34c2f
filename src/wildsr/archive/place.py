"""Photos that lie elsewhere than in a file of this machine, on their way through one."""

from __future__ import annotations

import shutil
import tempfile
import threading
import uuid
from pathlib import Path
from typing import ClassVar, Protocol


class Source(Protocol):
    """A photo that has to be fetched; its ``str`` is what messages call it."""

    def fetch(self, to: Path) -> None:
        """Write it to a file.

        Raises:
            OSError: it is not there, or whoever keeps it does not answer.
        """
        ...


class Target(Protocol):
    """A place for a result that is no file here; its ``str`` is what messages call it."""

    at_once: ClassVar[bool]  # whether several may be delivered at the same time

    @property
    def suffix(self) -> str:
        """Of the file, with its dot."""
        ...

    def exists(self) -> bool:
        """Whether a whole result is there."""
        ...

    def deliver(self, made: Path) -> None:
        """Take a whole file there.

        Raises:
            OSError: whoever keeps it does not take it.
        """
        ...

    def refusal(self) -> str | None:
        """Why nothing at all can be written there; None where something can."""
        ...


class Scratch:
    """A folder of this machine for photos on their way, removed by :meth:`close`.

    Made when the first photo needs it.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._one = threading.Lock()

    @property
    def folder(self) -> Path:
        """The folder; exists."""
        with self._one:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="wildsr-"))
            return self._folder

    def source(self, source: Path | Source) -> Path:
        """The file of a photo: its own, or a fetched one.

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
        """Where a result is to be written: under its name, or to a file that is delivered then."""
        if isinstance(target, Path):
            return target
        return self.folder / f"{uuid.uuid4().hex}{target.suffix}"

    def forget(self, path: Path, place: Path | Source | Target) -> None:
        """Remove the file of a photo that lies elsewhere."""
        if not isinstance(place, Path):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
