"""What a photo carries beside its pixels: EXIF, the colour profile, XMP, IPTC."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from wildsr.inference.vips import pyvips

EXIF, GPS = int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo)
BLOBS = ("icc-profile-data", "xmp-data", "iptc-data")  # libvips' names; copied as they are
# Tags of TIFF's first directory that describe how the pixels are stored, and blobs kept elsewhere.
STORAGE = {
    *(254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 282, 283, 284, 296),
    *(317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 338, 339, 340, 341, 347),
    *(512, 513, 514, 529, 530, 531, 532, 700, 33723, 34377, 34675, 37724, 50341),
}


def read_exif(path: Path) -> Image.Exif | None:
    """The photo's EXIF, of an image that is upright; None without one, or of a damaged one.

    The thumbnail is left out: it shows the photo as it lay. Width and height are filled in by the
    encoder.
    """
    try:
        with unlimited(), Image.open(path) as image:
            found = image.getexif()
            inner = {ifd: dict(found.get_ifd(ifd)) for ifd in (EXIF, GPS)}
    except Exception:  # says nothing about the pixels
        return None
    exif = Image.Exif()
    for tag, value in found.items():
        if tag not in STORAGE and tag not in (EXIF, GPS):
            exif[tag] = value
    for ifd, tags in inner.items():
        if tags:
            exif.get_ifd(ifd).update(tags)
    if len(exif) == 0 and not any(inner.values()):
        return None
    exif[int(ExifTags.Base.Orientation)] = 1
    return exif


def exif_fields(exif: Image.Exif) -> list[tuple[str, Any]]:
    """EXIF as libvips keeps it: the block, and one field for each tag.

    libvips writes only tags that it has a field of, and makes these when it reads a file: so it is
    given a JPEG of one pixel.
    """
    for bare in (False, True):
        if bare:  # a JPEG's EXIF is limited to 64 KB; makers' notes are what is ever longer
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
    """XMP with its own copy of the orientation set to upright."""
    xmp = re.sub(rb'(tiff:Orientation=["\'])\d(["\'])', rb"\g<1>1\g<2>", xmp)
    return re.sub(rb"(<tiff:Orientation>)\d(</tiff:Orientation>)", rb"\g<1>1\g<2>", xmp)


def add_exif_to_tiff(path: Path, exif: Image.Exif, width: int, height: int) -> None:
    """Give a TIFF file EXIF, which libvips does not write into it.

    The file's directory is written anew behind its pixels, with the tags of the EXIF. A BigTIFF
    (more than 4 GB) stays as it is.
    """
    with unlimited(), Image.open(path) as image:
        old: Any = image.tag_v2  # type: ignore[attr-defined]
        with path.open("rb") as file:
            header = file.read(8)
        if header[2:3] not in (b"*", b"\0") or 43 in header[2:4]:
            return
        new = ImageFileDirectory_v2(header)
        for tag, value in old.items():
            new.tagtype[tag] = old.tagtype[tag]
            new[tag] = value
    for tag, value in exif.items():
        if tag not in (EXIF, GPS):
            new[tag] = value
    inner = dict(exif.get_ifd(EXIF))
    inner[int(ExifTags.Base.ExifImageWidth)] = width
    inner[int(ExifTags.Base.ExifImageHeight)] = height
    for ifd, tags in ((EXIF, inner), (GPS, dict(exif.get_ifd(GPS)))):
        if tags:
            new[ifd] = tags
    with path.open("r+b") as file:
        place = file.seek(0, 2)
        place += file.write(b"\0" * (place % 2))
        file.write(new.tobytes(place))
        file.seek(4)
        file.write(struct.pack("<L" if header[:1] == b"I" else ">L", place))


@contextmanager
def unlimited() -> Iterator[None]:
    """Without Pillow's limit of pixels, where only headers are read or the size was checked."""
    most = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = most
