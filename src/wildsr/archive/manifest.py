"""The manifest: the outcome of every photo, as JSON lines next to the results.

Manifests of several processes are merged by reading all of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from wildsr.archive.shard import Shard, place
from wildsr.error import UserError

FOLDER = ".manifest"  # in the output


@dataclass(frozen=True)
class Entry:
    """One photo, at the end of one attempt.

    Args:
        input: path relative to the input, with ``/``.
        output: path of the result relative to the output.
        hash: SHA-256 of the result's file; None if there is none, or if the result existed before.
        seconds: from opening the photo to the complete result; None if nothing was computed.
        error: why there is no result, in one line; None for a success.
        time: when the attempt ended, in seconds since 1970; of several attempts the latest counts.
        by: the engine and its data type; None if unknown.
    """

    input: str
    output: str
    hash: str | None = None
    seconds: float | None = None
    error: str | None = None
    time: float = 0.0
    by: str | None = None


class Store(Protocol):
    """A place for manifests other than a local folder."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file, completely or not at all."""
        ...

    def texts(self) -> Iterator[str]:
        """The contents of the files that exist."""
        ...


class Notes(Protocol):
    """Anything that records the outcomes of photos."""

    def add(self, entry: Entry) -> None:
        """Record an entry."""
        ...

    def found(self, input: str, output: str) -> None:
        """Record a result that existed before."""
        ...


class Manifest:
    """Writes its own file below the output, from the first entry on.

    Every start has its own file, so that no two processes write to the same one. Its name holds the
    time, shard, machine and process. Lines are written one by one; a killed process leaves at most
    half a line, which readers skip.

    Args:
        output: the folder of the results, or a store.
        shard: the part of the photos that this process takes.
    """

    EVERY = 60.0  # seconds after which the file in a store is written anew

    def __init__(self, output: Path | Store, shard: Shard | None = None) -> None:
        self.output, self.shard = output, shard or Shard()
        self.path: Path | None = None
        self._file: Any = None
        self._name, self._lines, self._put = "", bytearray(), 0.0
        self._known: set[int] | None = None

    def add(self, entry: Entry) -> None:
        """Write an entry.

        Raises:
            UserError: the output cannot be written to.
        """
        if self._known is not None:
            self._known.add(place(entry.output))
        line = json.dumps({**asdict(entry), "time": round(time.time(), 3)}) + "\n"
        try:
            self._append(line.encode("ascii"))
        except OSError as error:
            raise UserError(
                f"The manifest in {self.output} cannot be written: {error.strerror or error}."
            ) from error

    def found(self, input: str, output: str) -> None:
        """Record a result that existed before, unless a manifest lists it already."""
        if self._known is None:
            entries = _lines(self.output)
            self._known = {place(e.output) for e in entries if e.error is None}
        if place(output) not in self._known:
            self.add(Entry(input, output))

    def close(self) -> None:
        """Write everything to the disk or the store."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._file.fileno())
            self._file.close()
            self._file = None
        elif self._lines and not isinstance(self.output, Path):
            self.output.put(self._name, bytes(self._lines))

    def _append(self, line: bytes) -> None:
        if not self._name:
            when = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
            part = str(self.shard).replace("/", "-of-")
            host = "".join(c if c.isalnum() else "-" for c in platform.node())[:40]
            self._name = f"{when}.{time.time_ns() % 10**9:09d}_{part}_{host}_{os.getpid()}.jsonl"
        if isinstance(self.output, Path):
            if self._file is None:
                folder = self.output / FOLDER
                folder.mkdir(parents=True, exist_ok=True)
                self.path = folder / self._name
                self._file = self.path.open("xb", buffering=0)
            self._file.write(line)
            return
        self._lines += line
        if time.monotonic() - self._put > self.EVERY:
            self._put = time.monotonic()
            self.output.put(self._name, bytes(self._lines))


def read(output: Path | Store) -> dict[str, Entry]:
    """The latest entry of each result, by its path, from all manifests in an output."""
    found: dict[str, Entry] = {}
    for entry in _lines(output):
        if entry.output not in found or found[entry.output].time <= entry.time:
            found[entry.output] = entry
    return found


def failed(output: Path | Store, file: str | None = None) -> frozenset[str]:
    """The photos, by their paths relative to the input, whose latest attempt failed.

    Args:
        output: the folder that the manifests are in.
        file: the tar or zip file in it that the results were to be in; None for all others.

    Raises:
        UserError: there is no manifest.
    """
    entries = [entry for entry in read(output).values() if _is_of(entry, file)]
    if not entries:
        where = output if file is None else f"{output}/{file}"
        raise UserError(
            f"`retry=failed` takes the photos that a manifest names, but {where} has none; "
            "without `retry` all photos without a result are made."
        )
    return frozenset(entry.input for entry in entries if entry.error is not None)


def _is_of(entry: Entry, file: str | None) -> bool:
    """Whether a result is in this file of many; without one, in none but that of its own input."""
    first = entry.output.partition("/")[0]
    if file is not None:
        return first == file
    packed = "/" in entry.output and first.lower().endswith((".tar", ".zip"))
    return not packed or entry.input.startswith(f"{first}/")


def digest(path: Path) -> str:
    """SHA-256 of a file, as ``sha256sum`` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines(output: Path | Store) -> Iterator[Entry]:
    for line in _texts(output):
        with contextlib.suppress(
            ValueError, TypeError, AttributeError
        ):  # an incomplete line, or not a manifest's
            values = json.loads(line)
            entry = Entry(**{key: values.get(key) for key in Entry.__dataclass_fields__})
            texts = isinstance(entry.input, str) and isinstance(entry.output, str)
            if texts and isinstance(entry.time, int | float):
                yield entry


def _texts(output: Path | Store) -> Iterable[str]:
    if not isinstance(output, Path):
        for text in output.texts():
            yield from text.splitlines()
        return
    folder = output / FOLDER
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else ():
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file
