"""Strips of pixels into an image file, encoded while the next ones are computed."""

from __future__ import annotations

import queue
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wildsr.error import UserError, unknown
from wildsr.inference.metadata import add_exif_to_tiff, exif_fields
from wildsr.inference.photo import Photo
from wildsr.inference.strips import Array
from wildsr.inference.vips import pyvips

FORMATS = {
    "png": "png",
    "jpg": "jpg",
    "jpeg": "jpg",
    "webp": "webp",
    "tif": "tif",
    "tiff": "tif",
}
MOST = {"jpg": 65535, "webp": 16383}  # pixels a side, of the file format itself
DEEP = ("png", "tif")  # know 16 bits
WAITING = 2  # strips between the network and the encoder
_PNG_COLOUR = {1: 0, 2: 4, 3: 2, 4: 6}  # channels: PNG's number for them


@dataclass(frozen=True)
class Target:
    """What is to be written.

    Args:
        format: a value of ``FORMATS``.
        width, height: pixels of the file.
        quality: of JPEG and WebP, 1 to 100.
        dtype: uint8 or uint16; uint16 needs PNG or TIFF.

    Raises:
        UserError: an unknown format, a quality or a size that it does not know.
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


def encode(
    strips: Iterable[Array], path: Path, size: tuple[int, int], target: Target, photo: Photo
) -> None:
    """Write an image whose rows come from ``strips``, in memory bounded by a few strips.

    Args:
        strips: (rows, width, channels), uint8 or uint16, from top to bottom.
        path: is overwritten; incomplete when this raises.
        size: width and height of the strips; another one than the target's is resized to it
            (Lanczos, antialiased, with premultiplied alpha).
        target: what to write.
        photo: what it is made of: channels and everything it carries.

    Raises:
        UserError: the file cannot be written.
    """
    iterator = iter(strips)
    first = next(iterator)
    feed = _Feed(_png(iterator, first, size, photo.channels))
    encoder = threading.Thread(target=feed.guard(lambda: _save(feed, path, target, photo)))
    encoder.start()
    try:
        feed.fill()
    except BaseException:
        feed.abandon()
        raise
    finally:
        encoder.join()
    if feed.failure is not None:
        reason = str(getattr(feed.failure, "detail", "") or feed.failure).strip().splitlines()[0]
        raise UserError(f"{path} cannot be written: {reason}.") from feed.failure
    if target.format == "tif" and photo.exif is not None:
        add_exif_to_tiff(path, photo.exif, target.width, target.height)


def _save(feed: _Feed, path: Path, target: Target, photo: Photo) -> None:
    source = pyvips.SourceCustom()
    source.on_read(feed.read)
    image = pyvips.Image.pngload_source(source, access="sequential", unlimited=True)
    image = _finished(image, target, photo)
    if target.format == "jpg":
        image.jpegsave(str(path), Q=target.quality)
    elif target.format == "webp":
        image.webpsave(str(path), Q=target.quality)
    elif target.format == "png":
        image.pngsave(str(path), compression=6, filter="sub")
    else:
        image.tiffsave(
            str(path), compression="deflate", predictor="horizontal", bigtiff=_big(image)
        )


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
        image.set_type(pyvips.GValue.blob_type, name, value)
    if photo.exif is not None and target.format != "tif":
        for name, value in exif_fields(photo.exif):
            kind_of = pyvips.GValue.blob_type if name == "exif-data" else pyvips.GValue.gstr_type
            image.set_type(kind_of, name, value)
    across_mm, down_mm = photo.resolution or (72 / 25.4, 72 / 25.4)
    return image.copy(xres=across_mm, yres=down_mm)


def _big(image: Any) -> bool:
    size = image.width * image.height * image.bands * (2 if image.format == "ushort" else 1)
    return size > 3_900_000_000  # 4 GB, less what directories need


class _Feed:
    """Bytes from the thread that computes to the thread that encodes."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.parts = parts
        self.waiting: queue.Queue[bytes | None] = queue.Queue(WAITING)
        self.rest = memoryview(b"")
        self.over = False
        self.failure: BaseException | None = None
        self.ended = threading.Event()

    def fill(self) -> None:
        """Compute until the end, or until the encoder has failed."""
        for part in self.parts:
            if not self._put(part):
                return
        self._put(None)

    def abandon(self) -> None:
        """Let the encoder end: its file is not wanted any more."""
        self._put(None)

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes; none at the end."""
        if not len(self.rest) and not self.over:
            part = self.waiting.get()
            self.over = part is None
            self.rest = memoryview(part or b"")
        piece, self.rest = self.rest[:count], self.rest[count:]
        return bytes(piece)

    def guard(self, work: Any) -> Any:
        """``work`` as a thread's function, its exception kept."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                self.failure = error
            finally:
                self.ended.set()

        return guarded

    def _put(self, part: bytes | None) -> bool:
        while not self.ended.is_set():
            try:
                self.waiting.put(part, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False


def _png(
    rest: Iterator[Array], first: Array, size: tuple[int, int], channels: int
) -> Iterator[bytes]:
    """The pixels as a PNG without compression: the stream that libvips can read as it comes."""
    width, height = size
    depth = first.dtype.itemsize * 8
    header = struct.pack(">IIBBBBB", width, height, depth, _PNG_COLOUR[channels], 0, 0, 0)
    yield b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    stored = zlib.compressobj(0)
    strip: Array | None = first
    while strip is not None:
        lines = np.zeros((len(strip), 1 + width * channels * strip.dtype.itemsize), np.uint8)
        big = np.ascontiguousarray(strip.astype(strip.dtype.newbyteorder(">"), copy=False))
        lines[:, 1:] = big.reshape(len(strip), -1).view(np.uint8)
        yield _chunk(b"IDAT", stored.compress(lines.tobytes()))
        strip = next(rest, None)
    yield _chunk(b"IDAT", stored.flush()) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
    )
