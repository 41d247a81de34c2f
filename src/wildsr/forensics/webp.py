"""Read how coarsely a lossy WebP file was quantised, from the header of its first frame."""

from __future__ import annotations

import struct
from typing import IO

START = b"\x9d\x01\x2a"  # of a key frame (RFC 6386, section 9.1)
HEAD = 10  # bytes of the frame before the compressed header
ENOUGH = 64  # bytes that hold the compressed header as far as it is read
SEGMENTS = 4
BUSIEST = 1 + 0.9 * 0.5 * 127 / 128  # exponent of the coarsest segment, at the default setting


def read_quality(file: IO[bytes]) -> int | None:
    """The quality of libwebp, 0 to 100, that quantises as a frame's header states.

    libwebp splits a photo into up to four segments, quantised more coarsely the busier they are,
    and nearly always the coarsest as coarsely as its default setting ("spatial noise shaping" of
    50) allows. Files written with another setting come out some units off.

    Args:
        file: at the data of a chunk ``VP8 ``.

    Returns:
        None where it is no key frame.
    """
    head = file.read(HEAD + ENOUGH)
    if len(head) < HEAD + 2 or head[0] & 1 or head[3:6] != START:
        return None
    stated = _quantisers(_Bits(head[HEAD:]))
    return quality_of(max(stated), BUSIEST if len(set(stated)) > 1 else 1.0)


def quality_of(quantiser: int, exponent: float = 1.0) -> int:
    """The quality of libwebp, 0 to 100, of a quantiser index, 0 to 127.

    The inverse of :func:`~wildsr.degradation.coding.quantiser` for an exponent of 1.

    Args:
        quantiser: of a segment, or of the photo.
        exponent: of the segment: above 1 for one that is coarser than the quality alone says.
    """
    linear = (1 - min(max(quantiser, 0), 127) / 127) ** (3 / exponent)
    share = linear * 1.5 if linear < 0.5 else (linear + 1) / 2
    return min(max(round(100 * share), 0), 100)


def _quantisers(bits: _Bits) -> list[int]:
    """The quantiser index of each segment, or of all (RFC 6386, sections 9.2 to 9.6)."""
    bits.number(2)  # colour space, clamping
    absolute, steps = False, []
    if bits.number(1):  # there are segments
        chosen, described = bits.number(1), bits.number(1)
        if described:
            absolute = bool(bits.number(1))
            steps = [bits.signed(7) for _ in range(SEGMENTS)]
            for _ in range(SEGMENTS):  # of the loop filter
                bits.signed(6)
        if chosen:
            for _ in range(SEGMENTS - 1):  # probabilities
                bits.flagged(8)
    bits.number(1 + 6 + 3)  # kind, level and sharpness of the loop filter
    if bits.number(1) and bits.number(1):  # its differences between kinds of blocks
        for _ in range(8):
            bits.signed(6)
    bits.number(2)  # partitions
    base = bits.number(7)
    return steps if absolute else [base + step for step in steps or [0]]


class _Bits:
    """The boolean decoder of VP8, for bits that are as likely 0 as 1 (RFC 6386, section 7.3)."""

    def __init__(self, data: bytes) -> None:
        self.data = data + bytes(2)
        (self.value,), self.place = struct.unpack(">H", self.data[:2]), 2
        self.span, self.shifts = 255, 0

    def bit(self) -> int:
        split = 1 + (self.span - 1) // 2
        found = int(self.value >= split << 8)
        if found:
            self.span -= split
            self.value -= split << 8
        else:
            self.span = split
        while self.span < 128:
            self.value, self.span, self.shifts = self.value << 1, self.span << 1, self.shifts + 1
            if self.shifts == 8:
                self.value |= self.data[self.place] if self.place < len(self.data) else 0
                self.place, self.shifts = self.place + 1, 0
        return found

    def number(self, size: int) -> int:
        """An unsigned number of so many bits, the highest first."""
        found = 0
        for _ in range(size):
            found = found << 1 | self.bit()
        return found

    def flagged(self, size: int) -> int:
        """A number if the bit before it is 1; otherwise 0."""
        return self.number(size) if self.bit() else 0

    def signed(self, size: int) -> int:
        """A flagged number with its sign behind it."""
        if not self.bit():
            return 0
        found = self.number(size)
        return -found if self.bit() else found
