"""Recognise video files by content, and check that they are complete."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any

from wildsr.error import UserError
from wildsr.photo.unreadable import allow

# FFmpeg's demuxers that may be used. Others are unsafe: playlists (HLS, ffconcat) open other files,
# and some demuxers never end.
READERS = {"mp4": "mov", "matroska": "matroska", "avi": "avi"}
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"uuid")
_SEGMENT = b"\x18\x53\x80\x67"


def container_of(source: Path) -> str:
    """Recognise a video's container by content: "mp4" (also MOV), "matroska" (also WebM) or "avi".

    Raises:
        UserError: another format, not a regular file, or a truncated file.
    """
    if not source.is_file():
        raise UserError(f"Video {source} cannot be read: there is no regular file of this name.")
    try:
        with source.open("rb") as file:
            head = file.read(16)
            size = source.stat().st_size
            if head[4:8] in _BOXES:
                name, end = "mp4", _end_of_boxes(file, size)
            elif head[:4] == b"\x1a\x45\xdf\xa3":
                name, end = "matroska", _end_of_segment(file, size)
            elif head[:4] == b"RIFF" and head[8:12] == b"AVI ":
                name, end = "avi", 8 + struct.unpack("<L", head[4:8])[0]
            else:
                raise UserError(
                    f"Video {source} cannot be read: by its content it is none of MP4, MOV, "
                    "Matroska, WebM and AVI, or its beginning is damaged."
                )
    except OSError as error:
        raise UserError(f"Video {source} cannot be read: {error.strerror}.") from error
    if end > size:
        raise UserError(
            f"Video {source} cannot be read: it ends early, {size} of {end} bytes are there."
        )
    return name


def open_video(av: Any, file: IO[bytes], source: Path, limit: float | None) -> Any:
    """Open a video for reading through its file object, so that FFmpeg opens no other file.

    Args:
        av: the package.
        file: ``source``, open for reading.
        source: for messages.
        limit: megapixels of a frame; None: no limit.

    Raises:
        UserError: see :func:`container_of`; no video stream, or one that FFmpeg cannot decode;
            frames larger than ``limit``.
    """
    name = READERS[container_of(source)]
    shut = {"protocol_whitelist": "none", "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2"}
    options = shut if name == "mov" else {"protocol_whitelist": "none"}
    opened = av.open(file, "r", format=name, options=options)
    try:
        if not opened.streams.video:
            raise UserError(f"{source} holds no video.")
        context = opened.streams.video[0].codec_context
        if context is None:
            raise UserError(f"Video {source} cannot be read: FFmpeg has no decoder for it.")
        allow(source, context.width, context.height, limit)
        # A stream may change its size in between; damage must be an error instead of gray blocks.
        # Decoders include their padding in the size.
        most = {} if limit is None else {"max_pixels": str(int(limit * 1.2e6) + 10**6)}
        context.options = {"err_detect": "explode", **most}
    except BaseException:
        opened.close()
        raise
    return opened


def _end_of_boxes(file: IO[bytes], size: int) -> int:
    """Where the last box ends (ISO/IEC 14496-12, 4.2)."""
    place = 0
    while place + 8 <= size:
        file.seek(place)
        head = file.read(16)
        (length,) = struct.unpack(">L", head[:4])
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
        if length == 0:  # to the end of the file
            return size
        place += max(length, 8)
    return place


def _end_of_segment(file: IO[bytes], size: int) -> int:
    """Where Matroska's segment ends (RFC 8794, 4 and 6), where the file says it."""
    file.seek(4)
    length, _ = _number(file)
    place = file.tell() + (length or 0)
    file.seek(place)
    while place < size and (kind := file.read(4)):
        if kind != _SEGMENT:  # Void and checksums have identifiers of one byte
            file.seek(place + 1)
        length, known = _number(file)
        if kind == _SEGMENT:
            return file.tell() + length if known else size
        place = file.tell() + length
        file.seek(place)
    return size


def _number(file: IO[bytes]) -> tuple[int, bool]:
    """A variable-length number, and whether it is known: all ones mean "unknown"."""
    first = file.read(1)
    if not first or not first[0]:
        return 0, False
    count = 8 - first[0].bit_length()
    rest = file.read(count)
    value = int.from_bytes(bytes([first[0] & ((1 << (7 - count)) - 1)]) + rest, "big")
    return value, value != (1 << (7 * (count + 1))) - 1
