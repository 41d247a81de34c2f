"""Find work in a thread, while the first of it is being done."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")
MOST = 100_000  # items that may wait, besides one batch; a photo's name takes about 100 bytes


class Ahead(Generic[T]):
    """Iterates over the items that a generator finds in batches; the generator runs in a thread.

    Args:
        batches: the generator; its exceptions are raised in place of the next item.
        make: converts an entry of a batch to the item, when its turn comes.
        most: number of waiting items above which the generator pauses.

    Attributes:
        found: number of items known so far.
        complete: whether all items are known.
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
        """Stop searching."""
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
