"""Photos that are not local files, and their temporary local copies."""

from __future__ import annotations

import shutil
import tempfile
import threading
import uuid
from pathlib import Path
from typing import ClassVar, Protocol


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

    at_once: ClassVar[bool]  # whether several may be delivered at the same time

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
