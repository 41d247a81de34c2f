"""Photos in one file: tar files in WebDataset's convention, read in order, and zip files."""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
import threading
import zipfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, ClassVar

from wildsr.archive.earlier import Earlier
from wildsr.error import UserError, first_line
from wildsr.photo.folder import SUFFIXES

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
KINDS = (".tar", ".zip")


def shards_of(pattern: str) -> list[str]:
    """Expand a range in a tar file's name, as WebDataset writes it: ``photos-{0000..0099}.tar``.

    Raises:
        UserError: a range that runs backwards.
    """
    found = _RANGE.search(pattern)
    if found is None:
        return [pattern]
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise UserError(f"`input`: the range {found[0]} holds no number.")
    names = (
        f"{pattern[: found.start()]}{number:0{len(found[1])}d}{pattern[found.end() :]}"
        for number in range(first, last + 1)
    )
    return [each for name in names for each in shards_of(name)]


@dataclass
class Sample:
    """Files of a tar that belong together (WebDataset): one key, and the bytes of each suffix.

    Args:
        key: the path up to the first dot of the file's name.
        photo: name of the first file that is a photo; None if there is none.
        data: the photo's bytes.
        others: the other files, by their names.
    """

    key: str
    photo: str | None = None
    data: bytes = b""
    others: dict[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.photo or self.key

    def __contains__(self, name: str) -> bool:
        return name == self.photo or name in self.others

    def fetch(self, to: Path) -> None:
        """Write the photo to a file."""
        to.write_bytes(self.data)


def split_key(name: str) -> tuple[str, str]:
    """WebDataset's key and extension: the file's name is split at its first dot."""
    folder, file = posixpath.split(name)
    stem, _, extension = file.partition(".")
    return posixpath.join(folder, stem), extension


def text_name(name: str) -> str:
    r"""A name as text, which a zip file needs: other bytes become ``%DF``.

    File names on disk are bytes, not always text (``Stra\xdfe``).
    """
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in name)


def distinct(name: str, others: Collection[str]) -> str:
    """A name that differs from others, also regardless of case: with a number if need be."""
    used = {other.lower() for other in others}
    stem, suffix = posixpath.splitext(name)
    number = 2
    while name.lower() in used:
        name, number = f"{stem}-{number}{suffix}", number + 1
    return name


def samples(stream: IO[bytes], name: str) -> Iterator[Sample]:
    """Read the samples of a tar file in order, one at a time in memory.

    A second file of one name begins another sample.

    Raises:
        UserError: it is not a tar file, or a damaged one.
    """
    current: Sample | None = None
    try:
        with tarfile.open(fileobj=stream, mode="r|*") as opened:
            for member in opened:
                if not member.isfile() or posixpath.basename(member.name).startswith("."):
                    continue
                key, extension = split_key(member.name)
                if current is None or current.key != key or member.name in current:
                    if current is not None:
                        yield current
                    current = Sample(key)
                read = opened.extractfile(member)
                data = b"" if read is None else read.read()
                if current.photo is None and f".{extension.lower()}".endswith(SUFFIXES):
                    current.photo, current.data = member.name, data
                else:
                    current.others[member.name] = data
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UserError(f"{name} is no whole tar file: {first_line(error)}.") from error
    if current is not None:
        yield current


class Container:
    """A tar or zip file that is being written, one file after the other.

    It is only complete after :meth:`close`: write it under another name until then.

    Args:
        path: the file.
        kind: ".tar" or ".zip".
        earlier: the complete file of this kind whose place it takes, and whose other members it
            keeps; None if there is none.

    Raises:
        UserError: the earlier one is damaged.
    """

    def __init__(self, path: Path, kind: str, earlier: Path | None = None) -> None:
        self._one = threading.Lock()
        self._taken: set[str] = set()
        self._written: set[str] = set()
        self._earlier = None if earlier is None else Earlier(earlier, kind)
        self._tar: tarfile.TarFile | None = None
        self._zip: zipfile.ZipFile | None = None
        if kind == ".tar":
            self._tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        else:
            self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)  # photos are packed already

    @property
    def again(self) -> bool:
        """Whether it takes the place of an earlier one, and keeps that one's members."""
        return self._earlier is not None

    @property
    def empty(self) -> bool:
        """Whether nothing was written."""
        return not self._written

    def had(self, name: str) -> bool:
        """Whether the earlier one has a member of this name."""
        return self._earlier is not None and name in self._earlier.names

    def name(self, wanted: str) -> str:
        """The name of a photo: in a tar file its stem has no dots, in a zip file it is text.

        WebDataset's keys end at the first dot of a name.
        """
        if self._tar is None:
            name = text_name(wanted)
            name = distinct(name, self._taken) if name in self._taken else name
            self._taken.add(name)
            return name
        stem, suffix = posixpath.splitext(wanted)
        folder, file = posixpath.split(stem)
        plain = posixpath.join(folder, file.replace(".", "_"))
        key, number = plain, 2
        while key in self._taken:
            key, number = f"{plain}-{number}", number + 1
        self._taken.add(key)
        return key + suffix

    def key(self, key: str, names: Iterable[str]) -> str:
        """The key of a sample's files here, with a number if another sample has one of its names.

        Args:
            key: of the sample.
            names: of its files, which begin with the key.
        """
        ends = [name.removeprefix(key) for name in names]
        found, number = key, 2
        while not self._taken.isdisjoint(found + end for end in ends):
            found, number = f"{key}-{number}", number + 1
        self._taken.update(found + end for end in ends)
        return found

    def add(self, name: str, data: bytes) -> None:
        """Append a file, without date and owner, so that the same photos make the same file.

        Raises:
            UserError: there is one of this name.
        """
        name = text_name(name) if self._zip is not None else name
        with self._one:
            if name in self._written:
                raise UserError(f"the file holds {name} already")
            self._written.add(name)
            if self._tar is not None:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                info.mode = 0o644
                self._tar.addfile(info, io.BytesIO(data))
            elif self._zip is not None:
                self._zip.writestr(zipfile.ZipInfo(name), data)

    def close(self) -> None:
        """Complete the file, with the earlier one's members unless nothing was written."""
        if self._earlier is not None and not self.empty:
            self._earlier.copy(self._tar or self._zip, self._written)
        for opened in (self._earlier, self._tar, self._zip):
            if opened is not None:
                opened.close()


@dataclass(frozen=True)
class Slot:
    """The place of a result in a container, with the other files of its sample.

    Args:
        container: the file.
        name: of the result.
        others: files that follow it.
    """

    container: Container
    name: str
    others: dict[str, bytes] = field(default_factory=dict)

    at_once: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.name

    @property
    def suffix(self) -> str:
        """Suffix of the result, with its dot."""
        return posixpath.splitext(self.name)[1]

    def exists(self) -> bool:
        """Whether the earlier container, which this one takes the place of, has it."""
        return self.container.had(self.name)

    def deliver(self, made: Path) -> None:
        """Append the result and the other files of its sample."""
        self.container.add(self.name, made.read_bytes())
        for name, data in self.others.items():
            self.container.add(name, data)

    def refusal(self) -> str | None:
        """Always None: errors are raised where the container is created."""
        return None
