"""Check that the compressed strips and tiles of a TIFF are undamaged.

Decoders stop when they have enough pixels, and so overlook damage. LZW has no checksum, and a
damaged strip decodes to wrong pixels without an error; but its codes must fill the strip exactly
and end with an end code, which damaged data hardly ever does. Deflate's checksum comes after the
last pixel, where decoders do not read any more.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL.TiffImagePlugin import ImageFileDirectory_v2

LZW, DEFLATE = 5, (8, 32946)
CLEAR, END, FIRST = 256, 257, 258  # TIFF 6.0, section 13
EPOCH = 3850  # codes after a clear code until the table is full, with some to spare
# Bits of the n-th code after a clear code: one more as soon as the table needs it.
_WIDTHS = np.select(
    [np.arange(EPOCH) < 254, np.arange(EPOCH) < 766, np.arange(EPOCH) < 1790], [9, 10, 11], 12
)
_STARTS = np.cumsum(_WIDTHS) - _WIDTHS
PIECE = 1 << 20


def check_strips(path: Path, directory: int | None = None) -> None:
    """Check every strip or tile of a picture for damage.

    Pictures with other compression, or in a layout that is not supported here, pass.

    Args:
        path: the file.
        directory: position of the picture's directory in the file, in bytes; None for the first.

    Raises:
        ValueError: a strip or tile is damaged.
    """
    with path.open("rb") as file:
        head = file.read(8)
        if head[2:4] in (b"+\0", b"\0+"):
            head += file.read(8)
        tags = ImageFileDirectory_v2(head)
        file.seek(tags.next if directory is None else directory)
        tags.load(file)
        kind = tags.get(259, 1)
        # Bits the other way round, chroma of another size than luma, counts that are not there.
        odd = tags.get(266, 1) != 1 or tags.get(262) == 6 or not (279 in tags or 325 in tags)
        if kind not in (LZW, *DEFLATE) or odd:
            return
        for number, (offset, count, size, full) in enumerate(_parts(tags)):
            if count == 0:  # a part that was never written shows zeros
                continue
            file.seek(offset)
            data = file.read(count)
            if kind == LZW:
                sound = data[:1] == b"\0" or lzw_is_whole(data, (size, full))
            else:
                sound = _deflate_is_whole(data, size)
            if not sound:
                raise ValueError(
                    f"damaged (part {number + 1} of its pixels is not what was stored)"
                )


def _parts(tags: Any) -> Iterator[tuple[int, int, int, int]]:
    """(offset, bytes, bytes of its pixels, bytes of a full one) of every strip or tile."""
    width, height = tags[256], tags[257]
    bits, samples = tags.get(258, (1,)), tags.get(277, 1)
    depth = (bits if isinstance(bits, int) else bits[0]) * (1 if tags.get(284, 1) == 2 else samples)
    if 324 in tags:
        offsets, counts = tags[324], tags[325]
        full = tags[323] * (-(-tags[322] * depth // 8))
        sizes = [full] * len(offsets)
    else:
        offsets, counts = tags[273], tags[279]
        rows, row = min(tags.get(278, height), height), -(-width * depth // 8)
        each, full = -(-height // rows), rows * row
        sizes = [min(rows, height - n % each * rows) * row for n in range(len(offsets))]
    for offset, count, size in zip(offsets, counts, sizes, strict=True):
        yield offset, count, size, full


def _deflate_is_whole(data: bytes, size: int) -> bool:
    stream, made = zlib.decompressobj(), 0
    try:
        while not stream.eof and made <= 2 * size + PIECE:
            piece = stream.decompress(data, PIECE)
            made, data = made + len(piece), stream.unconsumed_tail
            if not piece and not data:
                break
    except zlib.error:
        return False
    return stream.eof and made >= size


def lzw_is_whole(data: bytes, sizes: tuple[int, ...]) -> bool:
    """Whether LZW data is valid and decodes to exactly one of ``sizes`` bytes.

    Only lengths are computed: a code's string is one longer than that of the code that its table
    entry extends. The lengths of all codes between two clear codes are found at once, by pointer
    doubling.
    """
    raw = np.frombuffer(data + bytes(8), np.uint8)
    bits, place, made = 8 * len(data), 0, 0
    if bits < 9:
        return False
    if (int(raw[0]) << 1 | int(raw[1]) >> 7) == CLEAR:
        place = 9
    while place + 9 <= bits:
        count = int(np.searchsorted(_STARTS + _WIDTHS, bits - place, "right"))
        codes = _codes(raw, place + _STARTS[:count], _WIDTHS[:count])
        special = np.flatnonzero((codes == CLEAR) | (codes == END))
        stop = int(special[0]) if len(special) else count
        used = codes[:stop]
        if (used[:1] >= CLEAR).any() or (used >= FIRST + np.arange(stop)).any():
            return False  # a code that is not in the table yet
        lengths = _lengths(used)
        made += int(lengths.sum())
        if not len(special):
            # Without an end mark: as some programs write it, if nothing is left over.
            return made in sizes
        place += int(_STARTS[stop] + _WIDTHS[stop])
        if codes[stop] == END:
            return made in sizes
        if made > max(sizes):
            return False
    return made in sizes


def _codes(
    raw: npt.NDArray[np.uint8], places: npt.NDArray[np.int64], widths: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    first, inside = places >> 3, places & 7
    three = raw[first].astype(np.int64) << 16 | raw[first + 1].astype(np.int64) << 8
    three |= raw[first + 2]
    codes: npt.NDArray[np.int64] = (three >> (24 - inside - widths)) & ((1 << widths) - 1)
    return codes


def _lengths(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Length of each LZW code in bytes: one more than that of the code its entry extends."""
    parent = np.where(codes < CLEAR, -1, codes - FIRST)
    lengths = np.ones(len(codes) + 1, np.int64)  # the last one is what roots point at
    lengths[-1] = 0
    links = np.append(np.where(parent < 0, len(codes), parent), len(codes))
    while (links != len(codes)).any():
        lengths, links = lengths + lengths[links], links[links]
    return lengths[:-1]
