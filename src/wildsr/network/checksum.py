"""Checksums of weights and checkpoints, which reveal files damaged by disks or copying."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from wildsr.error import UserError

SEAL = b"wildsr blake2b "  # and 64 hexadecimal digits: the comment of an archive that torch writes
DIGEST = "wildsr_blake2b"  # key of the checksum in the metadata of safetensors
_LENGTH = len(SEAL) + 64
_END = b"PK\x05\x06"  # of an archive, 22 bytes with an empty comment


def seal(path: Path) -> None:
    """Write the checksum of a ``torch.save`` file into its ZIP comment, which readers ignore.

    Raises:
        UserError: the file is no ZIP archive with an empty comment, as torch writes it.
        OSError: the file cannot be read or written.
    """
    with path.open("r+b") as file:
        file.seek(-22, 2)
        if not (last := file.read()).startswith(_END) or last[-2:] != b"\0\0":
            raise UserError(f"{path} cannot be sealed: torch has written another kind of file.")
        file.seek(-2, 2)
        file.write(_LENGTH.to_bytes(2, "little"))
    digest = _of_file(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(SEAL + digest.encode())


def check_seal(path: Path, what: str) -> None:
    """Compare a ``torch.save`` file with the checksum in its ZIP comment.

    Files without one, from other tools, are checked by the ZIP format's own CRC of each entry.

    Raises:
        UserError: the file was changed or damaged.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - _LENGTH, 0))
        comment = file.read()
    if SEAL in comment:
        whole = comment.startswith(SEAL)  # else its last bytes are cut off
        if not whole or _of_file(path, size - _LENGTH).encode() != comment[len(SEAL) :]:
            raise _changed(what)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            wrong = sum(not _sound(archive, entry) for entry in entries)
        if 0 < wrong < len(entries):  # all of them: torch was told to write no sums
            raise _changed(what)


def digest_of(weights: Mapping[str, Tensor], about: str | None) -> str:
    """The BLAKE2b checksum of a state dict (tensors of any shape) and its description, in hex."""
    found = hashlib.blake2b(repr(about).encode(), digest_size=32)
    for name in sorted(weights):
        value = weights[name].detach().cpu().contiguous()
        found.update(repr((name, value.dtype, tuple(value.shape))).encode())
        found.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def check_digest(
    weights: Mapping[str, Tensor], metadata: Mapping[str, str], about: str | None, what: str
) -> None:
    """Compare a state dict (tensors of any shape) with the checksum in the file's metadata.

    Files without our checksum are not checked.

    Args:
        weights: the state dict.
        metadata: of the safetensors file.
        about: the description that was written with the weights.
        what: the file, as errors call it.

    Raises:
        UserError: the weights were changed or damaged.
    """
    if DIGEST in metadata and metadata[DIGEST] != digest_of(weights, about):
        raise _changed(what)


def _changed(what: str) -> UserError:
    return UserError(
        f"{what} is damaged: it is not what was written (its checksum is another), as after an "
        "incomplete copy or on a failing disk."
    )


def _of_file(path: Path, size: int) -> str:
    found = hashlib.blake2b(digest_size=32)
    with path.open("rb") as file:
        while size > 0 and (part := file.read(min(size, 1 << 20))):
            found.update(part)
            size -= len(part)
    return found.hexdigest()


def _sound(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Whether a part of an archive has its own sum."""
    try:
        with archive.open(entry) as part:
            while part.read(1 << 20):
                pass
    except Exception:  # a damaged header can raise any type
        return False
    return True
