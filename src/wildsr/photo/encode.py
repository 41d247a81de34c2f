"""Encode an image file strip by strip, while the next strips are computed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wildsr.error import UserError, unknown
from wildsr.extra import needed
from wildsr.photo.feed import Feed, png_stream
from wildsr.photo.folder import RAW
from wildsr.photo.iptc import iptc_for
from wildsr.photo.metadata import (
    add_comments_to_jpeg,
    add_exif_to_tiff,
    add_text_to_png,
    exif_fields,
    iptc_chunk,
    text_chunk,
)
from wildsr.photo.rows import Array
from wildsr.photo.stream import Photo
from wildsr.photo.vips import pyvips

FORMATS = {
    "png": "png",
    "jpg": "jpg",
    "jpeg": "jpg",
    "webp": "webp",
    "tif": "tif",
    "tiff": "tif",
    "heic": "heic",
    "heif": "heic",
    "hif": "heic",
    "avif": "avif",
    "npy": "npy",
    "npz": "npz",
    "dcm": "dcm",
}
MEASURED = ("npy", "npz", "dcm")  # written from measured values alone, not from ordinary photos
# Result formats of inputs that keep no format of their own; what is not here becomes PNG.
BECOME = {
    **dict.fromkeys(RAW, "tif"),
    **dict.fromkeys((".btf", ".tf8", ".tf2"), "tif"),
    **dict.fromkeys((".dicom", ".ima"), "dcm"),
}
MOST = {
    "jpg": 65535,
    "webp": 16383,
    "heic": 16384,
    "avif": 16384,
}  # pixels a side, of the file format itself
DEEP = ("png", "tif", "heic", "avif")  # take 16 bits; HEIC keeps 10 of them, AVIF 12
KEEP_EXIF, KEEP = 1, 1 | 2 | 4 | 8  # EXIF, XMP, IPTC and the colour profile, in libvips' numbers
DENSEST = 1e6  # pixels per millimetre that libvips takes; a header may hold any number


@dataclass(frozen=True)
class Target:
    """What an encoder writes: format, size, quality and bit depth.

    Args:
        format: a value of ``FORMATS``.
        width, height: pixels of the file.
        quality: of JPEG, WebP, HEIC and AVIF, 1 to 100.
        dtype: uint8 or uint16; uint16 needs one of ``DEEP``: HEIC keeps 10 bits of it, AVIF 12.

    Raises:
        UserError: an unknown format, a quality out of range, a size that the format cannot hold.
    """

    format: str
    width: int
    height: int
    quality: int
    dtype: np.dtype

    def __post_init__(self) -> None:
        if self.format not in FORMATS.values():
            raise unknown("Argument `format`", self.format, FORMATS)
        if not 1 <= self.quality <= 100:
            raise UserError(f"Argument `quality` must be 1 to 100, but got {self.quality}.")
        most = MOST.get(self.format)
        if most and max(self.width, self.height) > most:
            raise UserError(
                f"Argument `format`: {self.format} holds up to {most} pixels a side, but the "
                f"result has {self.width} x {self.height}; png and tif hold any number."
            )


class Encoder:
    """Writes an image file from strips of rows, in its own thread.

    Memory is bounded by a few strips: :meth:`take` waits while the encoder is behind.

    Args:
        path: is overwritten; complete after :meth:`finish`.
        size: width and height of the image that the strips make up; if the target's differs, it is
            resized (Lanczos, antialiased, with premultiplied alpha).
        target: what to write.
        photo: the original photo: its channels, metadata and colour profile are taken over.
    """

    def __init__(self, path: Path, size: tuple[int, int], target: Target, photo: Photo) -> None:
        self.path, self.size, self.target, self.photo = path, size, target, photo
        self.feed = Feed()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.failure: BaseException | None = None
        self.thread.start()

    def take(self, strips: Iterable[Array]) -> None:
        """Encode ``strips``, (rows, width, channels) of uint8 or uint16, from top to bottom."""
        for part in png_stream(iter(strips), self.size, self.photo.channels):
            if not self.feed.put(part):
                return  # it has failed, which finish() says
        self.feed.put(None)

    def finish(self) -> None:
        """Wait until the file is complete.

        Raises:
            UserError: the file cannot be written.
        """
        self.thread.join()
        if self.failure is not None:
            said = str(getattr(self.failure, "detail", "") or self.failure).strip()
            reason = said.splitlines()[0] if said else type(self.failure).__name__
            raise UserError(f"{self.path} cannot be written: {reason}.") from self.failure
        if self.target.format == "tif":
            size = self.target.width, self.target.height
            add_exif_to_tiff(self.path, self.photo.exif, *size, self._iptc())
        elif self.target.format == "png":
            texts = self.photo.texts + [text_chunk(each) for each in self.photo.comments]
            texts += [iptc_chunk(found)] if (found := self._iptc()) else []
            add_text_to_png(self.path, texts)
        elif self.target.format == "jpg":
            add_comments_to_jpeg(self.path, self.photo.comments)

    def _iptc(self) -> bytes:
        return iptc_for(self.target.format, self.photo.blobs.get("iptc-data", b""))

    def abandon(self) -> None:
        """Stop encoding; the incomplete file is not wanted any more."""
        self.feed.put(None)
        self.thread.join()

    def _work(self) -> None:
        try:
            _save(self.feed, self.path, self.target, self.photo)
        except BaseException as error:
            self.failure = error
        finally:
            self.feed.ended.set()


def _save(feed: Feed, path: Path, target: Target, photo: Photo) -> None:
    source = pyvips.SourceCustom()
    source.on_read(feed.read)
    image = pyvips.Image.pngload_source(source, access="sequential", unlimited=True)
    image = _finished(image, target, photo)
    # Files would get EXIF that libvips makes up; where the resolution is known, it is in there.
    said = photo.exif is not None or photo.resolution is not None
    keep = KEEP if said else KEEP & ~KEEP_EXIF
    if target.format == "jpg":
        image.jpegsave(os.fsencode(path), Q=target.quality, keep=keep)
    elif target.format == "webp":
        image.webpsave(os.fsencode(path), Q=target.quality, keep=keep)
    elif target.format == "heic":
        _save_heic(image, path, target, photo)
    elif target.format == "avif":
        bits = 12 if target.dtype == np.uint16 else 8
        options = {"compression": "av1", "bitdepth": bits, "effort": 4, "keep": keep}
        image.heifsave(os.fsencode(path), Q=target.quality, **options)
    elif target.format == "png":
        image.pngsave(os.fsencode(path), compression=6, filter="sub", keep=keep)
    else:
        image.tiffsave(
            os.fsencode(path), compression="deflate", predictor="horizontal", bigtiff=_big(image)
        )


def _save_heic(image: Any, path: Path, target: Target, photo: Photo) -> None:
    package = needed("pillow_heif", "photo", "`format=heic`")
    mode = {1: "L", 2: "RGBA", 3: "RGB", 4: "RGBA"}[image.bands]
    if image.bands == 2:  # which HEIC's library does not know
        image = image[0].bandjoin([image[0], image[0], image[1]])
    if target.dtype == np.uint16:
        mode = "I;16" if mode == "L" else f"{mode};16"
    made = package.from_bytes(mode, (image.width, image.height), image.write_to_memory())
    kept = {"icc_profile": "icc-profile-data", "xmp": "xmp-data"}
    for name, blob in kept.items():
        if blob in photo.blobs:
            made.info[name] = photo.blobs[blob]
    exif = None if photo.exif is None else photo.exif.tobytes()
    with path.open("wb") as file:
        made.save(file, quality=target.quality, exif=exif)


def _finished(image: Any, target: Target, photo: Photo) -> Any:
    """The image in the target's size, depth and channels, with what the photo carries."""
    sixteen = target.dtype == np.uint16
    kind = "ushort" if sixteen else "uchar"
    gray = photo.channels in (1, 2)
    space = ("grey16" if sixteen else "b-w") if gray else ("rgb16" if sixteen else "srgb")
    alpha = image.hasalpha()
    across, down = target.width / image.width, target.height / image.height
    if (across, down) != (1, 1):
        most = 65535 if image.format == "ushort" else 255
        image = image.premultiply(max_alpha=most) if alpha else image
        image = image.resize(across, vscale=down, kernel="lanczos3")
        image = image.unpremultiply(max_alpha=most) if alpha else image
        if most == 65535 and not sixteen:
            image = image / 257
        # Lanczos may leave one pixel more or less than was asked for; none are left to guess.
        image = image.crop(0, 0, target.width, target.height)
        image = image.rint().cast(kind)
    image = image.copy(interpretation=space)
    if alpha and target.format == "jpg":
        image = image.flatten(background=[255] * (image.bands - 1))
    for name, value in photo.blobs.items():
        if name == "iptc-data":
            if target.format != "jpg":  # libvips cuts TIFF's to a quarter, and writes no others
                continue
            value = iptc_for("jpg", value)
        image.set_type(pyvips.GValue.blob_type, name, value)
    if photo.exif is not None and target.format != "tif":
        for name, value in exif_fields(photo.exif):
            kind_of = pyvips.GValue.blob_type if name == "exif-data" else pyvips.GValue.gstr_type
            image.set_type(kind_of, name, value)
    dense = photo.resolution
    if dense is None or not all(0 < side < DENSEST for side in dense):
        dense = (72 / 25.4, 72 / 25.4)
    return image.copy(xres=dense[0], yres=dense[1])


def _big(image: Any) -> bool:
    size = image.width * image.height * image.bands * (2 if image.format == "ushort" else 1)
    return size > 3_900_000_000  # 4 GB, less what directories need
