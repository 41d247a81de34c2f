"""Recognise an image file by its content, and check its structure before it is decoded."""

from __future__ import annotations

import mmap
import re
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

# Formats are recognised by the beginning of the file, not by its name, and no others are accepted:
# nothing disguised as a photo reaches a decoder that follows links or runs programs.
_MAGIC = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"BM": "bmp",
    b"GIF8": "gif",
    b"\x93NUMPY": "npy",
    # Camera raw; raw files that begin like TIFFs are recognised by their tags.
    b"II*\0\x10\0\0\0CR": "raw",
    b"IIRO": "raw",
    b"IIRS": "raw",
    b"MMOR": "raw",
    b"IIU\0": "raw",
    b"FUJIFILMCCD-RAW": "raw",
    b"FOVb": "raw",
    b"\0MRM": "raw",
}
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
_AVIF = (b"avif", b"avis")
_DNG_VERSION, _SUBFILES, _PHOTOMETRIC = 50706, 330, 262
_SENSOR = (32803, 34892)  # photometric: a colour filter array, linear raw (DNG 1.7)
TEXTS = 1 << 20  # bytes of text in a PNG, of comments in a JPEG, that are kept
# Or made anew: XMP, EXIF, the colour profile.
_KEPT_ELSEWHERE = (
    b"XML:com.adobe.xmp\0",
    *(b"Raw profile type " + kind for kind in (b"exif", b"APP1", b"xmp", b"icc", b"icm")),
)
SCANS = 100  # of a JPEG; cameras and optimisers write up to some 20, each costs a pass
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # the next one after entropy-coded data
_SOS, _EOI, _DRI, _COM, _PROGRESSIVE = 0xDA, 0xD9, 0xDD, 0xFE, (0xC2, 0xC6, 0xCA, 0xCE)


def format_of(path: Path) -> str:
    """Determine a file's format by its content.

    Returns:
        One of jpeg, png, webp, tiff, bmp, gif, avif, heic, raw, dicom, npy and npz.

    Raises:
        ValueError: something else, an empty file, no regular file.
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would never end, and might never begin
        raise ValueError("not a regular file")
    with path.open("rb") as file:
        begin = file.read(132)
        if not begin:
            raise ValueError("the file is empty")
        if begin[128:] == b"DICM":  # the 128 bytes before it are arbitrary
            return "dicom"
        found = [magic for magic in _MAGIC if begin.startswith(magic)]
        if found:
            name = _MAGIC[max(found, key=len)]
            return "raw" if name == "tiff" and _is_sensor(file) else name
        if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP":
            return "webp"
        if begin[4:8] == b"ftyp":
            return _by_brands(file)
        if begin[:4] == b"PK\3\4" and _holds_arrays(begin):
            return "npz"
    raise ValueError("not an image, or its beginning is damaged")


def _by_brands(file: IO[bytes]) -> str:
    """What a file of ISO boxes holds, by the brands that it names (ISO/IEC 23008-12, B.4)."""
    file.seek(0)
    (length,) = struct.unpack(">I", file.read(4))
    box = file.read(min(length, 512) - 4) if length > 12 else b""
    brands = [box[4:8], *(box[at : at + 4] for at in range(12, len(box) - 3, 4))]
    if brands[0] == b"crx ":
        return "raw"
    if any(brand in _HEIC for brand in brands):
        return "heic"
    if any(brand in _AVIF for brand in brands) or brands[0] == b"mif1":
        return "avif"
    raise ValueError("not an image, or its beginning is damaged")


def _holds_arrays(begin: bytes) -> bool:
    """Whether a zip's first member is a NumPy array (APPNOTE 4.3.7)."""
    (length,) = struct.unpack_from("<H", begin, 26)
    return begin[30 : 30 + length].endswith(b".npy")


def _is_sensor(file: IO[bytes]) -> bool:
    """Whether a TIFF holds what a camera's sensor saw: DNG, and makers' formats like it.

    In its first directory or one of those that this names (TIFF 6.0, section 2; DNG 1.7).
    """
    try:
        file.seek(0)
        head = file.read(8)
        order = "<" if head[:2] == b"II" else ">"
        version, first = struct.unpack(f"{order}2xHL", head)
        if version != 42:
            return False
        tags = _numbers(file, first, order)
        if _DNG_VERSION in tags:
            return True
        below = [_numbers(file, place, order) for place in tags.get(_SUBFILES, [])[:8]]
        return any(kind in _SENSOR for one in (tags, *below) for kind in one.get(_PHOTOMETRIC, []))
    except (struct.error, OverflowError):
        return False  # its decoder will report the damage


def _numbers(file: IO[bytes], place: int, order: str) -> dict[int, list[int]]:
    """The tags of a TIFF's directory that hold whole numbers, and which others there are."""
    file.seek(place)
    (count,) = struct.unpack(f"{order}H", file.read(2))
    entries = file.read(12 * min(count, 512))
    found: dict[int, list[int]] = {}
    for at in range(0, len(entries) - 11, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHL", entries, at)
        letter = {3: "H", 4: "L", 13: "L"}.get(kind)
        if letter is None or not 0 < values <= 64:
            found[tag] = []
            continue
        layout = f"{order}{values}{letter}"
        if struct.calcsize(layout) <= 4:
            found[tag] = list(struct.unpack_from(layout, entries, at + 8))
        else:
            file.seek(struct.unpack_from(f"{order}L", entries, at + 8)[0])
            found[tag] = list(struct.unpack(layout, file.read(struct.calcsize(layout))))
    return found


@dataclass(frozen=True)
class Jpeg:
    """The structure of a JPEG file.

    Attributes:
        scans: number of scans (passes over the picture).
        plain: baseline with one scan and no restart markers.
        comments: before its pixels, up to a megabyte.
    """

    scans: int
    plain: bool
    comments: list[bytes] = field(default_factory=list)


def jpeg_structure(path: Path) -> Jpeg:
    """Walk through a JPEG's markers (ITU-T T.81, B.1.1), up to the end of its first picture.

    Raises:
        ValueError: more than 100 scans. Each costs the decoder a pass over all pixels, however few
            bytes it takes in the file.
    """
    scans, restarts, progressive, place = 0, False, False, 2
    comments: list[bytes] = []
    room = TEXTS
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        while (found := _MARKER.search(data, place)) is not None:
            kind, place = data[found.start() + 1], found.start() + 2
            if kind == _EOI:
                break
            progressive |= kind in _PROGRESSIVE
            restarts |= kind == _DRI
            scans += kind == _SOS
            if scans > SCANS:
                raise ValueError(f"more than {SCANS} scans, a JPEG needs no more than some 20")
            length = data[place : place + 2]
            size = struct.unpack(">H", length)[0] if len(length) == 2 else 0
            if kind == _COM and not scans and 2 < size <= room:
                comments.append(data[place + 2 : place + size])
                room -= size
            place += size
    return Jpeg(scans, scans <= 1 and not restarts and not progressive, comments)


@dataclass
class Png:
    """Contents of a PNG file besides its pixels.

    Attributes:
        frames: number of frames of an APNG; 1 for a still picture.
        exif: the EXIF block, or None.
        texts: whole chunks of text (titles, comments, ...), without those that hold XMP, EXIF
            or the colour profile.
    """

    frames: int = 1
    exif: bytes | None = None
    texts: list[bytes] = field(default_factory=list)


def png_structure(path: Path) -> Png:
    """Walk through a PNG's chunks (PNG, third edition, 5.3), without reading the pixels.

    EXIF may come after the pixels, which a streaming decoder has not reached yet.

    Raises:
        ValueError: the file ends before its last chunk.
    """
    found, size, room = Png(), path.stat().st_size, TEXTS
    with path.open("rb") as file:
        place = 8
        while True:
            file.seek(place)
            head = file.read(8)
            if len(head) < 8:
                raise ValueError("damaged, or it ends early (its last chunk is not there)")
            length, kind = struct.unpack(">I4s", head)
            place += 12 + length
            if place > size:
                raise ValueError("damaged, or it ends early (its last chunk is not there)")
            if kind == b"IEND":
                return found
            if kind == b"acTL" and length >= 4:
                found.frames = max(struct.unpack(">I", file.read(4))[0], 1)
            elif kind == b"eXIf" and found.exif is None:
                found.exif = file.read(length)
            elif kind in (b"tEXt", b"zTXt", b"iTXt") and length <= room:
                chunk = head + file.read(length + 4)
                if not chunk[8:].startswith(_KEPT_ELSEWHERE):
                    found.texts.append(chunk)
                    room -= length


def lab_photometric(file: IO[bytes]) -> tuple[int, int] | None:
    """Find the tag by which an 8-bit TIFF says that its colours are CIE Lab.

    TIFF 6.0, section 23: with 8, a and b are signed; with 9 (ICC Lab) they are 128 higher.

    Returns:
        (offset of the tag's value, 8 or 9), or None for every other file.
    """
    head = file.read(8)
    order = "<" if head[:2] == b"II" else ">"
    version, first = struct.unpack(f"{order}2xHL", head)
    if version != 42:
        return None
    file.seek(first)
    (count,) = struct.unpack(f"{order}H", file.read(2))
    found: tuple[int, int] | None = None
    bits = channels = 0
    for number in range(count):
        entry = file.read(12)
        if len(entry) < 12:
            return None
        tag, kind, values = struct.unpack_from(f"{order}HHL", entry)
        (value,) = struct.unpack_from(f"{order}{'L' if kind == 4 else 'H'}", entry, 8)
        if tag == 258:
            at = file.tell()
            if values > 2:
                file.seek(struct.unpack_from(f"{order}L", entry, 8)[0])
                value = struct.unpack(f"{order}H", file.read(2))[0]
                file.seek(at)
            bits = value
        elif tag == 262 and value in (8, 9):
            found = first + 2 + 12 * number + 8, value
        elif tag == 277:
            channels = value
    return found if bits == 8 and channels == 3 else None
