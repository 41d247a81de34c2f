"""The visitors of the page and their files; nothing that a visitor sends becomes part of a path."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wildsr.app.limits import Ledger, Limits, Refused
from wildsr.app.session import GONE, Session, Stored, Visitor


class Visitors:
    """All visitors, by their cookies.

    Args:
        folder: for their files, of mode 0700.
        limits: of visitors.
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
        """The visitor with a cookie that was checked.

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
        """The visitor's session with the visitor's own name for it; a new one for a new name.

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
        """The session with an id that the server chose.

        Raises:
            Refused: there is none, or it has ended.
        """
        found = self._sessions.get(name or "")
        if found is None:
            raise Refused(410, GONE)
        return found

    def find(self, cookie: str, key: str) -> Stored | None:
        """The file with this key, if the visitor may see it."""
        with self._lock:
            visitor = self._visitors.get(cookie)
            shelves = [self.samples]
            if visitor:
                shelves += [visitor.uploads, *(one.files for one in visitor.sessions.values())]
            return next((shelf[key] for shelf in shelves if key in shelf), None)

    def end(self, session: Session) -> None:
        """End a session: its files are removed, and with its last session the visitor."""
        with self._lock:
            self._sessions.pop(session.id, None)
            named = session.visitor.sessions
            for name in [name for name, one in named.items() if one is session]:
                del named[name]
        session.close()
        self._forget()

    @contextmanager
    def turn(self, visitor: Visitor) -> Iterator[None]:
        """Count a photo as being upscaled for this visitor within the block.

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
        """Check that one more photo may be upscaled, besides ``mine`` and ``all``.

        Args:
            mine: photos of this visitor that are upscaled or wait for it.
            all: photos of all visitors.

        Raises:
            Refused: too many are.
        """
        if mine >= self.limits.turns:
            raise Refused(429, "Your other photos are upscaled first; wait for one of them.")
        if all >= self.limits.queue:
            raise Refused(429, "Too many photos wait to be upscaled; try again later.")

    def waiting(self) -> int:
        """Number of photos that wait to be upscaled, of all visitors."""
        with self._lock:
            return sum(sum(one.waiting.values()) for one in self._sessions.values())

    def discard(self, visitor: Visitor, stored: Stored) -> None:
        """Remove an upload that no session has opened."""
        if visitor.uploads.pop(stored.path.name, None) is not None:
            stored.path.unlink(missing_ok=True)
            self.ledger.release(visitor, stored.size)

    def sweep(self) -> list[Session]:
        """End abandoned sessions and remove abandoned uploads; returns the sessions that ended."""
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
        """Remove everything, because the server stops."""
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
