"""Receive a photo; the transfer is cut off if it is too large, too slow or of another kind."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import unicodedata
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from wildsr.app.answer import Scope, chunks, header
from wildsr.app.limits import MB, Ledger, Limits, Refused
from wildsr.app.session import Stored, Visitor
from wildsr.error import first_line
from wildsr.photo.image import SUFFIXES

FRAME = 2**14  # bytes besides the file: boundaries and headers
LONG = 80  # maximum characters of a displayed name


def shown_name(sent: str) -> str:
    """The displayable part of a file's name: its last component, without control characters."""
    last = re.split(r"[/\\]", sent)[-1]
    plain = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip(" .")
    suffix = PurePosixPath(plain).suffix[:8]
    return plain if len(plain) <= LONG else f"{plain[: LONG - len(suffix) - 1]}…{suffix}"


async def receive_photo(
    scope: Scope, receive: Any, visitor: Visitor, ledger: Ledger, limits: Limits
) -> Stored:
    """Receive the one file of a multipart request; it becomes one of the visitor's uploads.

    Raises:
        Refused: too large, too many, too slow, not a photo by its name, not a multipart request.
    """
    large = f"A file may have at most {limits.upload / MB:g} MB."
    length = header(scope, b"content-length")
    if length is not None and int(length) > limits.upload + FRAME:  # h11 lets only digits pass
        raise Refused(413, large)
    if visitor.uploading + len(visitor.uploads) >= limits.waiting:
        raise Refused(429, "Too many of your files arrive at once; wait or reload the page.")
    kind, options = parse_options_header(header(scope, b"content-type") or "")
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Refused(400, "A photo must be sent as a form.")
    visitor.uploading += 1
    arriving = _Arriving(visitor, ledger, limits.upload, large)
    kept = False
    try:
        parser = MultipartParser(options[b"boundary"], arriving.callbacks())
        received = 0
        async for part in chunks(receive, limits.silence, limits.upload_time):
            received += len(part)
            if received > limits.upload + FRAME:
                raise Refused(413, large)
            parser.write(part)
        stored = arriving.stored()
        visitor.uploads[stored.path.name] = stored
        kept = True
        return stored
    except FormParserError as error:
        raise Refused(400, "The form cannot be read.") from error
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise Refused(507, f"The photo cannot be kept here: {reason}.") from error
    finally:
        visitor.uploading -= 1
        arriving.end(kept)


class _Arriving:
    """The file that a parser's callbacks write; every byte is charged before it is written."""

    def __init__(self, visitor: Visitor, ledger: Ledger, limit: int, large: str) -> None:
        self.visitor, self.ledger, self.limit, self.large = visitor, ledger, limit, large
        self.size, self.ended = 0, False
        self.file: BinaryIO | None = None
        self._field, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}

    def callbacks(self) -> Any:
        """By python-multipart's names."""
        return {
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_headers_finished": self._on_file,
            "on_part_data": self._on_data,
            "on_end": self._on_end,
        }

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _on_file(self) -> None:
        if self.file:
            raise Refused(400, "One photo at a time.")
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"filename" not in options:
            raise Refused(400, "A photo must be sent as a form's file.")
        self.name = shown_name(options[b"filename"].decode(errors="replace"))
        suffix = PurePosixPath(self.name).suffix.lower()
        if suffix not in SUFFIXES:
            kinds = ", ".join(one[1:] for one in SUFFIXES)
            raise Refused(415, f"A photo must be one of {kinds}.")
        self.path = self.visitor.folder / f"{secrets.token_hex(16)}{suffix}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self.file = os.fdopen(os.open(self.path, flags, 0o600), "wb")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        count = end - start
        if self.size + count > self.limit:
            raise Refused(413, self.large)
        self.ledger.charge(self.visitor, count)
        self.size += count
        assert self.file is not None  # headers come before data
        self.file.write(data[start:end])

    def _on_end(self) -> None:
        self.ended = True

    def stored(self) -> Stored:
        """The whole file.

        Raises:
            Refused: it ended early.
        """
        if not (self.file and self.ended):
            raise Refused(400, "The request ended early.")
        self.file.close()
        return Stored(self.path, self.name, self.size)

    def end(self, kept: bool) -> None:
        """Remove what is not kept."""
        if not self.file:
            return
        with contextlib.suppress(OSError):  # a full disk, told already
            self.file.close()
        if not kept:
            self.path.unlink(missing_ok=True)
            self.ledger.release(self.visitor, self.size)
