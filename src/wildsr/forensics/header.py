"""Read the coding of a photo from its file header, without decoding pixels."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any

from PIL import Image

from wildsr.forensics.coding import HEADER, NONE, WEBP, Coding, jpeg_coding, upright
from wildsr.forensics.webp import read_quality
from wildsr.photo.header import open_header

ORIENTATION = 0x0112
_SUBSAMPLINGS = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}
_LOSSY = {"AVIF": "AVIF", "HEIF": "HEIF", "JXL": "JPEG XL", "JPEG2000": "JPEG 2000"}


def read_header(path: Path | str) -> Coding:
    """Read the coding that a photo's file states, for the photo as ``read_image`` returns it.

    For JPEG these are the tables of the main image, not those of thumbnails or previews (MPO), also
    for Adobe and CMYK files. They describe the last compression only: a photo that was resized and
    saved again has no trace of earlier ones in its header. Of lossy WebP the quality is estimated;
    of AVIF and others only the kind is known.

    Returns:
        A record with ``source`` "header", or "none" for PNG, other files without a lossy coding,
        and
        files that are no photos.
    """
    try:
        with open_header(path) as image:
            if image.format in ("JPEG", "MPO"):
                return _jpeg(image)
            if image.format == "WEBP":
                return _webp(path)
            if image.format == "TIFF" and "jpeg" in str(image.info.get("compression")):
                return Coding(NONE)  # its tables can be anywhere in the file; the pixels show them
            if image.format in _LOSSY:
                return Coding(HEADER, _LOSSY[image.format])
    # Decoders meet broken files with nearly every exception there is.
    except Exception:
        return Coding(NONE)
    return Coding(NONE)


def _jpeg(image: Any) -> Coding:
    layers = image.layer  # (component, samples across, samples down, table) of the frame
    tables = {at: tuple(int(step) for step in steps) for at, steps in image.quantization.items()}
    luma, chroma, sampling = 0, None, None
    if len(layers) == 1:
        sampling = "4:0:0"
    elif _is_ycc(image):
        chroma = 1
        ratio = layers[0][1] / layers[1][1], layers[0][2] / layers[1][2]
        sampling = _SUBSAMPLINGS.get((int(ratio[0]), int(ratio[1])))
        if ratio != (int(ratio[0]), int(ratio[1])):
            sampling = None
    else:  # RGB and CMYK: each channel has its own table; green is nearest to luminance
        luma = 1
    coding = jpeg_coding(
        HEADER,
        tables[layers[luma][3]],
        None if chroma is None else tables[layers[chroma][3]],
        subsampling=sampling,
        phase=(0, 0),
        chroma_phase=None if chroma is None else (0, 0),
    )
    return upright(coding, _orientation(image), image.height, image.width)


def _is_ycc(image: Any) -> bool:
    """Whether components are luminance and chrominance, by libjpeg's own rules."""
    transform = image.info.get("adobe_transform")
    if len(image.layer) == 4:
        return transform == 2  # YCCK; the fourth is black
    if "jfif" in image.info:
        return True
    if transform is not None:
        return transform == 1
    return [layer[0] for layer in image.layer] != [ord("R"), ord("G"), ord("B")]


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a broken EXIF block says nothing about the pixels
        return 1


def _webp(path: Path | str) -> Coding:
    """Of a WebP file, if its first picture is VP8 and not VP8L, by the chunks of its RIFF."""
    with open(path, "rb") as file:
        file.seek(12)
        return Coding(HEADER, WEBP, quality=read_quality(file)) if _at_vp8(file) else Coding(NONE)


def _at_vp8(file: IO[bytes]) -> bool:
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name in (b"VP8 ", b"VP8L"):
            return name == b"VP8 "
        if name == b"ANMF":  # a frame: 16 bytes, then its chunks
            file.seek(16, 1)
            continue
        file.seek(size + size % 2, 1)
    return False
