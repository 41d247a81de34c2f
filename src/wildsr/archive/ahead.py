"""Find what there is to do in a thread, while the first of it is being done."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")
MOST = 100_000  # things that wait, beside one batch; a name of a photo has about 100 bytes


class Ahead(Generic[T]):
    """What a generator of batches finds, one by one; it goes on in a thread meanwhile.

    Args:
        batches: what it raises is raised where the next thing would come.
        make: the thing of what is in a batch, when its turn comes.
        most: things that may wait; then it is not asked for more.

    Attributes:
        found: things that are known by now.
        complete: whether there will be no more.
    """

    def __init__(
        self, batches: Iterable[list[S]], make: Callable[[S], T], most: int = MOST
    ) -> None:
        self.found, self.complete = 0, False
        self._taken, self._most = 0, most
        self._batches, self._make = batches, make
        self._ready: queue.SimpleQueue[list[Any] | BaseException | None] = queue.SimpleQueue()
        self._room = threading.Condition()
        self._closed = False
        threading.Thread(target=self._fill, daemon=True).start()

    def __iter__(self) -> Iterator[T]:
        while (batch := self._ready.get()) is not None:
            if isinstance(batch, BaseException):
                raise batch
            for thing in batch:
                with self._room:
                    self._taken += 1
                    self._room.notify()
                yield self._make(thing)

    def close(self) -> None:
        """Look for no more."""
        with self._room:
            self._closed = True
            self._room.notify()

    def _fill(self) -> None:
        end: BaseException | None = None
        try:
            for batch in self._batches:
                with self._room:
                    self.found += len(batch)
                self._ready.put(batch)
                with self._room:
                    self._room.wait_for(
                        lambda: self._closed or self.found - self._taken <= self._most
                    )
                if self._closed:
                    break
            else:
                self.complete = True
        except BaseException as error:
            end = error
        self._ready.put(end)
