"""Who is on the page, and what is theirs; nothing that a visitor sends becomes part of a path."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wildsr.app.limits import Ledger, Limits, Refused

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


class Visitors:
    """All visitors, by their cookies.

    Args:
        folder: for their files, of mode 0700.
        limits: that they share.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self.limits = folder, limits
        self.ledger = Ledger(limits.storage, limits.share)
        self.samples: dict[str, Stored] = {}  # small copies that everybody may see
        self.closed = False
        self._visitors: dict[str, Visitor] = {}
        self._sessions: dict[str, Session] = {}
        self._working: list[Visitor] = []
        self._leaving: list[Path] = []  # folders in which a session still computes
        self._lock = threading.RLock()

    def visitor(self, cookie: str) -> Visitor:
        """The visitor of a cookie that was checked.

        Raises:
            Refused: there are too many visitors.
        """
        with self._lock:
            if cookie not in self._visitors:
                if len(self._visitors) >= self.limits.visitors:
                    self.sweep()
                if len(self._visitors) >= self.limits.visitors or self.closed:
                    raise Refused(503, "Too many visitors are on the page; try again later.")
                folder = self.folder / secrets.token_hex(16)
                self._visitors[cookie] = Visitor(folder)
            visitor = self._visitors[cookie]
            visitor.folder.mkdir(0o700, exist_ok=True)
            return visitor

    def session(self, visitor: Visitor, name: str) -> Session:
        """The session that the visitor calls by this name; a new one for a new name.

        Raises:
            Refused: the visitor has too many.
        """
        with self._lock:
            if name not in visitor.sessions:
                if len(visitor.sessions) >= self.limits.sessions:
                    raise Refused(429, "The page is open in too many tabs; close one.")
                visitor.folder.mkdir(0o700, exist_ok=True)
                visitor.sessions[name] = made = Session(visitor, self.ledger)
                self._sessions[made.id] = made
            found = visitor.sessions[name]
            found.seen = time.monotonic()
            return found

    def by_id(self, name: str | None) -> Session:
        """The session of an id that was made here.

        Raises:
            Refused: there is none, or it has ended.
        """
        found = self._sessions.get(name or "")
        if found is None:
            raise Refused(410, GONE)
        return found

    def find(self, cookie: str, key: str) -> Stored | None:
        """The file that this visitor may see under this key."""
        with self._lock:
            visitor = self._visitors.get(cookie)
            shelves = [self.samples]
            if visitor:
                shelves += [visitor.uploads, *(one.files for one in visitor.sessions.values())]
            return next((shelf[key] for shelf in shelves if key in shelf), None)

    def end(self, session: Session) -> None:
        """A session has ended: its files go, and with the last one the visitor."""
        with self._lock:
            self._sessions.pop(session.id, None)
            named = session.visitor.sessions
            for name in [name for name, one in named.items() if one is session]:
                del named[name]
        session.close()
        self._forget()

    @contextmanager
    def turn(self, visitor: Visitor) -> Iterator[None]:
        """One photo being upscaled for this visitor.

        Raises:
            Refused: too many are.
        """
        with self._lock:
            self.check_turns(self._working.count(visitor), len(self._working))
            self._working.append(visitor)
        try:
            yield
        finally:
            with self._lock:
                self._working.remove(visitor)

    def check_turns(self, mine: int, all: int) -> None:
        """Refuse one photo more to upscale, besides ``mine`` of the visitor and ``all``."""
        if mine >= self.limits.turns:
            raise Refused(429, "Your other photos are upscaled first; wait for one of them.")
        if all >= self.limits.queue:
            raise Refused(429, "Too many photos wait to be upscaled; try again later.")

    def waiting(self) -> int:
        """Photos that wait to be upscaled, of all visitors."""
        with self._lock:
            return sum(sum(one.waiting.values()) for one in self._sessions.values())

    def discard(self, visitor: Visitor, stored: Stored) -> None:
        """Remove an upload that no session has opened."""
        if visitor.uploads.pop(stored.path.name, None) is not None:
            stored.path.unlink(missing_ok=True)
            self.ledger.release(visitor, stored.size)

    def sweep(self) -> list[Session]:
        """End what was left behind without a word; the sessions that ended."""
        now = time.monotonic()
        with self._lock:
            late = [
                one
                for one in self._sessions.values()
                if not one.connections and now - one.seen > self.limits.idle
            ]
            old = [
                (visitor, stored)
                for visitor in self._visitors.values()
                for stored in visitor.uploads.values()
                if now - stored.since > self.limits.abandoned
            ]
        for session in late:
            self.end(session)
        for visitor, stored in old:
            self.discard(visitor, stored)
        self._forget()
        return late

    def _forget(self) -> None:
        """Remove visitors who have nothing open."""
        with self._lock:
            for cookie, visitor in list(self._visitors.items()):
                if visitor.sessions or visitor.uploading or visitor.requests:
                    continue
                fresh = [
                    stored
                    for stored in visitor.uploads.values()
                    if time.monotonic() - stored.since <= self.limits.idle
                ]
                if fresh:
                    continue
                for stored in list(visitor.uploads.values()):
                    self.discard(visitor, stored)
                self._leaving.append(visitor.folder)
                del self._visitors[cookie]
            self._leaving = [folder for folder in self._leaving if not _removed(folder)]

    def close(self) -> None:
        """The server stops: everything goes."""
        with self._lock:
            self.closed = True
            sessions = list(self._sessions.values())
        for session in sessions:
            self.end(session)


def _removed(folder: Path) -> bool:
    """Remove a folder if it is empty; whether it is gone."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
