"""Hand rows of pixels to a thread that encodes them, as the stream of a PNG."""

from __future__ import annotations

import queue
import struct
import threading
import zlib
from collections.abc import Iterator

import numpy as np

from wildsr.photo.rows import Array

PIECE = 2 << 20  # bytes that the network's thread hands to the encoder's at once
WAITING = 16  # pieces that may wait for the encoder
_PNG_COLOUR = {1: 0, 2: 4, 3: 2, 4: 6}  # channels: PNG's number for them


class Feed:
    """Bytes from the thread that computes to the thread that encodes."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[bytes | None] = queue.Queue(WAITING)
        self.rest, self.over = memoryview(b""), False
        self.ended = threading.Event()

    def put(self, part: bytes | None) -> bool:
        """Hand over bytes, or None for the end; returns whether the encoder still runs."""
        while not self.ended.is_set():
            try:
                self.waiting.put(part, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes; none at the end."""
        if not len(self.rest) and not self.over:
            part = self.waiting.get()
            self.over = part is None
            self.rest = memoryview(part or b"")
        piece, self.rest = self.rest[:count], self.rest[count:]
        return bytes(piece)


def png_stream(strips: Iterator[Array], size: tuple[int, int], channels: int) -> Iterator[bytes]:
    """The pixels as a PNG without compression: the stream that libvips can read as it comes."""
    width, height = size
    stored, begun = zlib.compressobj(0), False
    for strip in strips:
        if not begun:
            depth, begun = strip.dtype.itemsize * 8, True
            kind = struct.pack(">IIBBBBB", width, height, depth, _PNG_COLOUR[channels], 0, 0, 0)
            yield b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", kind)
        count = max(PIECE // (width * channels * strip.dtype.itemsize), 1)
        for top in range(0, len(strip), count):
            piece = strip[top : top + count]
            lines = np.zeros((len(piece), 1 + width * channels * strip.dtype.itemsize), np.uint8)
            big = np.ascontiguousarray(piece.astype(strip.dtype.newbyteorder(">"), copy=False))
            lines[:, 1:] = big.reshape(len(piece), -1).view(np.uint8)
            yield _chunk(b"IDAT", stored.compress(lines.tobytes()))
        del strip, piece  # before the next one is computed
    yield _chunk(b"IDAT", stored.flush()) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
    )
