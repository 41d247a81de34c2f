"""Visitors of the page, their open tabs, and the files that are theirs."""

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
RECENT = {"whole": 2, "look": 6, "result": 1}  # files of each role that a session keeps


@dataclass(frozen=True)
class Stored:
    """A file of a visitor.

    Attributes:
        path: under a name that the server made, by which alone it is asked for.
        name: what the visitor sees.
        size: in bytes.
        since: when it came.
    """

    path: Path
    name: str
    size: int
    since: float = field(default_factory=time.monotonic)


class Visitor:
    """A browser, known by its cookie; :class:`Visitors` makes and removes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sessions: dict[str, Session] = {}  # by what the visitor calls them
        self.uploads: dict[str, Stored] = {}
        self.uploading = 0
        self.requests = 0


class Session:
    """An open tab of a visitor: its photo, its result, its files.

    Attributes:
        id: made here; Gradio knows the session by it.
        photo: that was opened last.
        size: (width, height) of the photo's overview.
        centre: (x, y) in [0, 1] where the close look is.
        result: of the photo.
        closed: the visitor has gone; what still computes for it should stop.
        connections, beats: open streams, and those of them that say that the tab is open.
        waiting: event -> whether it is a photo to upscale, of those not answered.
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
        """Where a new file of this session may be written."""
        return self.folder / f"{secrets.token_hex(16)}{suffix}"

    def keep(self, path: Path, name: str, role: str) -> Stored:
        """Serve a file of the session's folder; the oldest of its role go.

        Raises:
            Refused: no room is left for it; it is removed.
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
        """A photo was opened: the one before it and its result go."""
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
        """Keep the files while something reads or writes them, also if the visitor goes.

        Raises:
            Refused: the visitor has gone.
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
        """The visitor has gone, and with them what they made."""
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
