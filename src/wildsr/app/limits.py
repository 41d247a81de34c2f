"""Limits for visitors of the page, and an account of the bytes that they use."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wildsr.error import UserError

MB = 2**20


class Refused(UserError):  # noqa: N818 (a UserError with a status)
    """A refused request; its message holds nothing that the visitor sent.

    Args:
        status: the HTTP status.
        sentence: shown to the visitor.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """Limits on the resources of visitors.

    Attributes:
        upload: bytes of a file.
        upload_time: seconds in which a file must arrive.
        silence: seconds between two parts of a request.
        patience: seconds for the visitor to take a part of a response.
        storage, share: bytes of photos and results stored at once, of all visitors and of each.
        visitors: at once.
        sessions: open tabs of a visitor.
        waiting: uploads of a visitor that no session has opened.
        pending: events of a visitor that are not answered.
        queue, turns: photos being upscaled or waiting for it, of all visitors and of each.
        requests, connections: open at once, of a visitor and of all.
        idle: seconds after which a session without a connection ends.
        abandoned: seconds after which an upload that no session has opened is deleted.
    """

    upload: int = 50 * MB
    upload_time: float = 120
    silence: float = 15
    patience: float = 60
    storage: int = 4000 * MB
    share: int = 1000 * MB
    visitors: int = 32
    sessions: int = 8
    waiting: int = 8
    pending: int = 16
    queue: int = 16
    turns: int = 2
    requests: int = 32
    connections: int = 512
    idle: float = 60
    abandoned: float = 600


class Ledger:
    """Counts the bytes that each visitor stores on this computer; thread-safe.

    Args:
        storage: limit for all.
        share: limit for each.
    """

    def __init__(self, storage: int, share: int) -> None:
        self.storage, self.share = storage, share
        self._used: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    def charge(self, owner: Hashable, count: int) -> None:
        """Add ``count`` bytes.

        Raises:
            Refused: that exceeds a limit; nothing is added.
        """
        with self._lock:
            if self._used[owner] + count > self.share:
                raise Refused(
                    413,
                    f"Your photos and results would take more than the {self.share / MB:g} MB "
                    "that each visitor has.",
                )
            if self._used.total() + count > self.storage:
                raise Refused(
                    503, "The photos and results of all visitors fill the room; try again later."
                )
            self._used[owner] += count

    def release(self, owner: Hashable, count: int) -> None:
        """Subtract ``count`` bytes."""
        with self._lock:
            self._used[owner] -= count
            if self._used[owner] <= 0:
                del self._used[owner]

    @contextmanager
    def reserved(self, owner: Hashable, count: int) -> Iterator[None]:
        """Reserve ``count`` bytes within the block.

        Raises:
            Refused: that exceeds a limit.
        """
        self.charge(owner, count)
        try:
            yield
        finally:
            self.release(owner, count)

    def used(self, owner: Hashable | None = None) -> int:
        """Bytes of one visitor, or of all."""
        with self._lock:
            return self._used.total() if owner is None else self._used[owner]
