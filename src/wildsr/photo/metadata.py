"""Read and write a photo's metadata: EXIF, colour profile, XMP, IPTC."""

from __future__ import annotations

import io
import re
import shutil
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from wildsr.atomic import writing
from wildsr.photo.vips import pyvips

EXIF, GPS = int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo)
# The sensor's colour filter array (TIFF/EP) and DNG's tags, some of which mark a file as DNG.
_OF_SENSORS = (33421, 33422, *range(50706, 52600))
_IPTC = 33723  # TIFF's tag
_DESCRIPTION, _SHAPED = 270, '{"shape"'  # by which tifffile knows the files that it has written
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")
BLOBS = ("icc-profile-data", "xmp-data", "iptc-data")  # libvips' names; copied as they are
# Tags of TIFF's first directory that describe how the pixels are stored, and blobs kept elsewhere.
STORAGE = {
    *(254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 282, 283, 284, 296),
    *(317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 338, 339, 340, 341, 347),
    *(512, 513, 514, 529, 530, 531, 532, 700, 33723, 34377, 34675, 37724, 50341),
}


def exif_of(
    path: Path, format: str, block: bytes | None
) -> tuple[Image.Exif | None, dict[int, Any]]:
    """Read a photo's EXIF, changed to suit an upright copy, and its first directory unchanged.

    The thumbnail is left out: it shows the photo before it was turned upright. Width and height are
    filled in by the encoder.

    Args:
        path: the file.
        format: by content; for TIFF and camera raw, EXIF is in their own directory, which is read
            from the file.
        block: the EXIF block of other formats.

    Returns:
        (EXIF, tags of the first directory). EXIF is None if there is none or it is damaged, which
        does not affect the pixels.
    """
    try:
        if format == "tiff":
            with path.open("rb") as file, TiffImageFile(file, str(path)) as image:
                found, inner = _directories(image.getexif())
        elif format == "raw":
            with path.open("rb") as file:
                exif = Image.Exif()
                exif.load_from_fp(file)
                found, inner = _directories(exif)
            found = {tag: one for tag, one in found.items() if tag not in _OF_SENSORS}
        elif block:
            exif = Image.Exif()
            exif.load(block)
            found, inner = _directories(exif)
        else:
            return None, {}
    except Exception:  # Pillow's parsers can raise any type
        return None, {}
    exif = Image.Exif()
    for tag, value in found.items():
        if tag == _DESCRIPTION and str(value).startswith(_SHAPED):
            continue  # describes the size before upscaling
        if tag not in STORAGE and tag not in (EXIF, GPS) and _writable(tag, value):
            exif[tag] = _as_stored(value)
    for ifd, tags in inner.items():
        if tags:
            exif.get_ifd(ifd).update(
                {tag: _as_stored(value) for tag, value in tags.items() if _writable(tag, value)}
            )
    if len(exif) == 0 and not any(inner.values()):
        return None, found
    exif[int(ExifTags.Base.Orientation)] = 1
    return exif, found


def _directories(exif: Image.Exif) -> tuple[dict[int, Any], dict[int, dict[int, Any]]]:
    return dict(exif), {ifd: dict(exif.get_ifd(ifd)) for ifd in (EXIF, GPS)}


def orientation_of(tags: Mapping[int, Any], xmp: bytes) -> int:
    """The orientation of a photo, 1 to 8, from EXIF, or from XMP if EXIF has none.

    Args:
        tags: of EXIF's first directory.
        xmp: the XMP packet; may be empty.

    Returns:
        1 to 8; invalid values become 1 (upright).
    """
    said = tags.get(int(ExifTags.Base.Orientation))
    if said is None and (found := _XMP_ORIENTATION.search(xmp)):
        said = int(found.group(1))
    return said if isinstance(said, int) and 1 <= said <= 8 else 1


def png_text_exif(image: Any) -> bytes | None:
    """Decode the EXIF that ImageMagick stores in a PNG's text, as a length and hex digits."""
    for name in image.get_fields():
        if name.startswith("png-comment-") and name.endswith("Raw profile type exif"):
            try:
                return bytes.fromhex("".join(str(image.get(name)).split()[2:]))
            except ValueError:
                return None
    return None


def _writable(tag: int, value: Any) -> bool:
    """Whether bytes can be made of a tag.

    Files hold values of other types than the standard's for their tags, and Pillow reads more of
    them than it writes.
    """
    alone = ImageFileDirectory_v2()
    try:
        alone[tag] = _as_stored(value)
        alone.tobytes(8)
    except Exception:  # Pillow's writers can raise any type
        return False
    return True


def _as_stored(value: Any) -> Any:
    """Text beyond ASCII as the bytes it was: Pillow reads them as Latin-1, and writes "?"."""
    return value.encode("latin-1") if isinstance(value, str) and not value.isascii() else value


def exif_fields(exif: Image.Exif) -> list[tuple[str, Any]]:
    """Convert EXIF to the fields in which libvips keeps it: the block, and one for each tag.

    libvips writes only tags for which it has a field, and makes these fields when it reads a file:
    so a JPEG of one pixel with this EXIF is written and read in memory.
    """
    for bare in (False, True):
        if bare:  # a JPEG's EXIF is limited to 64 KB; only makers' notes exceed it
            exif.get_ifd(EXIF).pop(int(ExifTags.Base.MakerNote), None)
        try:
            pixel = io.BytesIO()
            Image.new("RGB", (1, 1)).save(pixel, "JPEG", exif=exif.tobytes())
            read = pyvips.Image.new_from_buffer(pixel.getvalue(), "")
        except (ValueError, TypeError, struct.error, pyvips.Error):
            continue
        names = [name for name in read.get_fields() if name.startswith("exif-")]
        return [(name, read.get(name)) for name in names]
    return []


def upright_xmp(xmp: bytes) -> bytes:
    """Set the orientation in an XMP packet to 1, upright."""
    xmp = re.sub(rb'(tiff:Orientation=["\'])\d(["\'])', rb"\g<1>1\g<2>", xmp)
    return re.sub(rb"(<tiff:Orientation>)\d(</tiff:Orientation>)", rb"\g<1>1\g<2>", xmp)


def add_exif_to_tiff(
    path: Path, exif: Image.Exif | None, width: int, height: int, iptc: bytes = b""
) -> None:
    """Add EXIF and IPTC to a TIFF file, which libvips cannot do.

    The EXIF is appended after the pixels, followed by a new first directory with the old one's
    entries and those of the EXIF. A BigTIFF (more than 4 GB) is left as it is.
    """
    if exif is None and not iptc:
        return
    with path.open("r+b") as file:
        header = file.read(8)
        order = "<" if header[:2] == b"II" else ">"
        version, first = struct.unpack(f"{order}2xHL", header)
        if version != 42:
            return
        file.seek(first)
        (count,) = struct.unpack(f"{order}H", file.read(2))
        entries = {entry[:2]: entry for entry in (file.read(12) for _ in range(count))}
        following = file.read(4)
        place = file.seek(0, 2)
        place += file.write(b"\0" * (place % 2))
        tags = ImageFileDirectory_v2(header)
        if exif is not None:
            tags = _tags(header, exif, width, height)
        if iptc:
            tags[_IPTC] = iptc
            tags.tagtype[_IPTC] = 7  # bytes
        block = tags.tobytes(place)
        (more,) = struct.unpack_from(f"{order}H", block)
        for start in range(2, 2 + 12 * more, 12):
            entry = block[start : start + 12]
            entries.setdefault(entry[:2], entry)
        block += b"\0" * (len(block) % 2)
        file.write(block)
        numbered = sorted(entries.values(), key=lambda e: struct.unpack_from(f"{order}H", e))
        file.write(struct.pack(f"{order}H", len(numbered)) + b"".join(numbered) + following)
        file.seek(4)
        file.write(struct.pack(f"{order}L", place + len(block)))


def add_text_to_png(path: Path, chunks: Sequence[bytes]) -> None:
    """Add text chunks to a PNG file unchanged: libvips writes all text as Latin-1.

    They go before the last chunk, which is empty and always the same.
    """
    if not chunks:
        return
    with path.open("r+b") as file:
        file.seek(-12, 2)
        last = file.read()
        file.seek(-12, 2)
        file.write(b"".join(chunks) + last)


def text_chunk(comment: bytes) -> bytes:
    """A JPEG's comment as a PNG's text chunk of that name."""
    try:
        text = comment.decode("utf-8")
    except UnicodeDecodeError:
        text = comment.decode("latin-1")
    body = b"iTXtComment\0\0\0\0\0" + text.replace("\0", "").encode("utf-8")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def iptc_chunk(resources: bytes) -> bytes:
    """Photoshop's image resources as the PNG chunk that ImageMagick and others read."""
    digits = resources.hex()
    lines = "\n".join(digits[place : place + 72] for place in range(0, len(digits), 72))
    said = f"\niptc\n{len(resources):8d}\n{lines}\n".encode("ascii")
    body = b"zTXtRaw profile type iptc\0\0" + zlib.compress(said)
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def add_comments_to_jpeg(path: Path, comments: Sequence[bytes]) -> None:
    """Add comments to a JPEG file, after its first marker and the APP segments that follow it."""
    if not comments:
        return
    with path.open("rb") as file, writing(path) as partial, partial.open("wb") as made:
        made.write(file.read(2))
        while len(head := file.read(4)) == 4 and 0xE0 <= head[1] <= 0xEF:
            made.write(head + file.read(struct.unpack(">H", head[2:])[0] - 2))
        for comment in comments:
            made.write(b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment)
        made.write(head)
        shutil.copyfileobj(file, made)


def _tags(header: bytes, exif: Image.Exif, width: int, height: int) -> ImageFileDirectory_v2:
    """The EXIF as a directory of TIFF in the byte order of ``header``."""
    tags = ImageFileDirectory_v2(header)
    for tag, value in exif.items():
        tags[tag] = value
    inner = dict(exif.get_ifd(EXIF))
    inner[int(ExifTags.Base.ExifImageWidth)] = width
    inner[int(ExifTags.Base.ExifImageHeight)] = height
    tags[EXIF] = inner
    if gps := dict(exif.get_ifd(GPS)):
        tags[GPS] = gps
    return tags
