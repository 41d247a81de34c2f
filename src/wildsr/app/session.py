"""Visitors of the page, their open tabs (sessions), and their files."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wildsr.app.limits import Ledger, Refused

GONE = "The page was left or reloaded meanwhile; reload it."
RECENT = {"whole": 2, "look": 6, "result": 1}  # maximum files of each role that a session keeps


@dataclass(frozen=True)
class Stored:
    """A file of a visitor.

    Attributes:
        path: its name was chosen by the server, and is the only name by which it can be requested.
        name: shown to the visitor.
        size: in bytes.
        since: time of arrival.
    """

    path: Path
    name: str
    size: int
    since: float = field(default_factory=time.monotonic)


class Visitor:
    """A browser, identified by its cookie; :class:`Visitors` creates and removes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sessions: dict[str, Session] = {}  # by what the visitor calls them
        self.uploads: dict[str, Stored] = {}
        self.uploading = 0
        self.requests = 0


class Session:
    """An open tab of a visitor: its photo, its result, its files.

    Attributes:
        id: chosen by the server; Gradio knows the session by it.
        photo: the photo opened last.
        size: (width, height) of the photo's overview.
        centre: (x, y) in [0, 1] of the close look.
        result: of the photo.
        closed: the visitor has left; computations for the session should stop.
        connections, beats: open streams, and those of them that are heartbeats of the tab.
        waiting: unanswered events -> whether they upscale a photo.
    """

    def __init__(self, visitor: Visitor, ledger: Ledger) -> None:
        self.id = secrets.token_hex(16)
        self.visitor, self._ledger = visitor, ledger
        self.folder = visitor.folder / self.id
        self.folder.mkdir(0o700)
        self.files: dict[str, Stored] = {}
        self.photo: Stored | None = None
        self.size, self.centre = (1, 1), (0.5, 0.5)
        self.result: Stored | None = None
        self.closed, self.connections, self.seen = False, 0, time.monotonic()
        self.beats = 0
        self.waiting: dict[str, bool] = {}
        self._recent: dict[str, list[Stored]] = {}
        self._holds = 0
        self._lock = threading.RLock()

    def place(self, suffix: str) -> Path:
        """A path for a new file of this session."""
        return self.folder / f"{secrets.token_hex(16)}{suffix}"

    def keep(self, path: Path, name: str, role: str) -> Stored:
        """Register a file of the session's folder for serving; the oldest of its role are removed.

        Raises:
            Refused: there is no room for it; it is removed.
        """
        size = path.stat().st_size
        try:
            self._ledger.charge(self.visitor, size)
        except Refused:
            path.unlink(missing_ok=True)
            raise
        stored = Stored(path, name, size)
        with self._lock:
            self.files[path.name] = stored
            recent = self._recent.setdefault(role, [])
            recent.append(stored)
            old = recent[: -RECENT[role]]
        for one in old:
            self.drop(one)
        return stored

    def open(self, photo: Stored, size: tuple[int, int]) -> None:
        """Make a photo the open one; the previous one and its result are removed."""
        with self._lock:
            before = [one for one in (self.photo, self.result) if one and one is not photo]
            self.photo, self.size, self.centre, self.result = photo, size, (0.5, 0.5), None
            if (mine := self.visitor.uploads.pop(photo.path.name, None)) is not None:
                self.files[photo.path.name] = mine
        for one in before:
            self.drop(one)

    def drop(self, stored: Stored) -> None:
        """Remove a file of the session."""
        with self._lock:
            for recent in self._recent.values():
                if stored in recent:
                    recent.remove(stored)
            if self.files.pop(stored.path.name, None) is None:
                return  # a sample, or gone already
        stored.path.unlink(missing_ok=True)
        self._ledger.release(self.visitor, stored.size)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the session's files while they are read or written, even if the visitor leaves.

        Raises:
            Refused: the visitor has left.
        """
        with self._lock:
            if self.closed:
                raise Refused(410, GONE)
            self._holds += 1
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1
            self._tidy()

    def close(self) -> None:
        """The visitor has left: remove the session's files, as soon as nothing uses them."""
        with self._lock:
            self.closed = True
        self._tidy()

    def _tidy(self) -> None:
        with self._lock:
            if not self.closed or self._holds:
                return
            files, self.files = list(self.files.values()), {}
        for stored in files:
            stored.path.unlink(missing_ok=True)
            self._ledger.release(self.visitor, stored.size)
        shutil.rmtree(self.folder, ignore_errors=True)
