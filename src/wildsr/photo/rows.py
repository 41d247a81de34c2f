"""Images as rows of pixels that are read once, from top to bottom."""

from __future__ import annotations

import queue
import threading
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.integer]
CHUNK = 1 << 20  # pixels that are read at once, ahead of the network
AHEAD = 4  # chunks


def on_white(pixels: Array) -> Array:
    """Composite gray or RGB with alpha on white, without changing the data type.

    Args:
        pixels: (h, w, C) integers; only with C = 2 or 4 there is alpha.

    Returns:
        (h, w, C), without alpha, rounded to the nearest.
    """
    if pixels.shape[2] not in (2, 4):
        return np.ascontiguousarray(pixels)
    most = int(np.iinfo(pixels.dtype).max)
    colour, alpha = pixels[..., :-1].astype(np.uint64), pixels[..., -1:].astype(np.uint64)
    mixed = (colour * alpha + most * (most - alpha) + most // 2) // most
    return mixed.astype(pixels.dtype)


class Rows(Protocol):
    """Protocol of images whose rows can be read once, from top to bottom.

    Rows are uint8 or uint16, with one or three colour channels, or any number from a sensor; a
    second or fourth channel of photos is alpha.
    """

    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]

    def read(self, count: int) -> Array:
        """The next ``count`` rows, (count, width, channels)."""
        ...

    def again(self) -> Rows:
        """The same image from its first row, for another reader."""
        ...


class Still:
    """Reads the rows of an image that is in memory.

    Args:
        pixels: (H, W, channels).
    """

    def __init__(self, pixels: Array) -> None:
        self.height, self.width, self.channels = pixels.shape
        self.dtype: np.dtype[Any] = pixels.dtype
        self._pixels, self._row = pixels, 0

    def read(self, count: int) -> Array:
        """The next ``count`` rows, (count, W, channels)."""
        self._row += count
        return self._pixels[self._row - count : self._row]

    def again(self) -> Still:
        """The same image from its first row."""
        return Still(self._pixels)


class Ahead:
    """Reads rows in its own thread, ahead of the computation that needs them.

    Args:
        rows: the image to read; nothing else may read from it. Its exceptions are raised by
            :meth:`read`.
    """

    def __init__(self, rows: Rows) -> None:
        self.height, self.width = rows.height, rows.width
        self.channels, self.dtype = rows.channels, rows.dtype
        self._rows, self._chunk = rows, max(CHUNK // rows.width, 1)
        self._ready: queue.Queue[Array | BaseException] = queue.Queue(AHEAD)
        self._closed = threading.Event()
        self._rest: Array = np.empty((0, rows.width, rows.channels), rows.dtype)
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def read(self, count: int) -> Array:
        """The next ``count`` rows, (count, width, channels); waits for them."""
        parts, missing = [self._rest], count - len(self._rest)
        while missing > 0:
            part = self._ready.get()
            if isinstance(part, BaseException):
                raise part
            parts.append(part)
            missing -= len(part)
        joined = np.concatenate(parts) if len(parts) > 1 else self._rest
        self._rest = joined[count:]
        return joined[:count]

    def again(self) -> Rows:
        """The same image from its first row, not read ahead."""
        return self._rows.again()

    def close(self) -> None:
        """Stop reading."""
        self._closed.set()
        self._thread.join()

    def _fill(self) -> None:
        row = 0
        while row < self.height and not self._closed.is_set():
            count = min(self._chunk, self.height - row)
            part: Array | BaseException
            try:
                part = self._rows.read(count)
            except BaseException as error:
                part = error
            while not self._closed.is_set():
                try:
                    self._ready.put(part, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if isinstance(part, BaseException):
                return
            row += count


class Window:
    """Keeps the rows of an image that are still needed, and discards earlier ones."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.first = rows, 0
        self.held: Array = np.empty((0, rows.width, rows.channels), rows.dtype)

    def get(self, first: int, last: int) -> Array:
        """Rows ``first`` to ``last`` (exclusive), (rows, width, channels).

        ``first`` never decreases from call to call.
        """
        missing = last - self.first - len(self.held)
        parts = [self.held[first - self.first :]]
        if missing > 0:
            parts.append(self.rows.read(missing))
        self.held, self.first = np.concatenate(parts), first
        return self.held[: last - first]
