"""Decoded images in one memory-mapped file; :mod:`wildsr.data.store` builds and finds it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wildsr.error import UserError
from wildsr.photo.samples import TYPES, Range, Samples
from wildsr.photo.sensor import unit_of

VERSION = 3  # of the format, and of how files become pixels


def digest_of(pixels: Samples) -> str:
    """The checksum of an image's pixels."""
    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).hexdigest()


def digest_of_index(index: Mapping[str, Any]) -> str:
    """The checksum of an index without its own ``check`` entry."""
    rest = {key: value for key, value in index.items() if key != "check"}
    return hashlib.blake2b(json.dumps(rest).encode(), digest_size=16).hexdigest()


class PackedStore:
    """Read-only images in one memory-mapped file. Pickled as its path only.

    Each image is compared with its checksum on first access, as a store may be too large to be read
    at every start. 8-bit images and crops are returned as stored; with a ``span``, and for other
    types, they are float32 with black and white at 0 and 1.

    Attributes:
        argument: what the user calls this data set (``data.lr``), for error messages.
        key: hash of the content; equal keys mean the same files under the same names.
        names: the readable images, named by their path below the common folder.
        sizes: int array (N, 2) of height and width.
        skipped: reason by name for the files that could not be read.
        digests: checksum of the pixels by name.
        channels: of all images.
        dtype: in which they are stored: uint8, uint16 or float32.
        ranges: (N, 4) for other types than uint8: minimum, 0.1st and 99.9th percentile, maximum.
        span: values of black and white; None for 8 bits.
    """

    def __init__(self, folder: Path, argument: str, span: Range | None = None) -> None:
        index = json.loads((folder / "index.json").read_text("utf-8"))
        if index["check"] != digest_of_index(index):
            raise ValueError(f"Store {folder} is damaged.")
        self.folder, self.argument, self.key = folder, argument, folder.name
        self.names: list[str] = list(index["sizes"])
        self.skipped: dict[str, str] = index["skipped"]
        self.digests: dict[str, str] = index["digests"]
        self._sound = np.zeros(len(self.names), bool)
        self.sizes: npt.NDArray[np.int64] = np.array(list(index["sizes"].values()), np.int64)
        self.channels: int = index.get("channels", 3)
        self.dtype: np.dtype[Any] = TYPES[index.get("depth", "8")]
        self.ranges = np.array(index["ranges"]) if "ranges" in index else None
        self.span = span
        lengths = self.sizes.prod(axis=1) * self.channels
        self._starts = np.cumsum(lengths) - lengths
        # No MADV_RANDOM: it halves the speed from a cold disk.
        self._pixels = np.memmap(folder / "pixels.bin", self.dtype, "r").view(np.ndarray)
        if (index["version"], len(self._pixels)) != (VERSION, lengths.sum()):
            raise ValueError(f"Store {folder} is damaged.")

    def __reduce__(self) -> tuple[type[PackedStore], tuple[Path, str, Range | None]]:
        return PackedStore, (self.folder, self.argument, self.span)

    def __len__(self) -> int:
        return len(self.names)

    def image(self, index: int) -> Samples:
        """One image (H, W, channels): a read-only uint8 view, or float32 in [0, 1].

        Raises:
            UserError: the stored image is damaged.
        """
        return self._seen(self._kept(index))

    def _kept(self, index: int) -> Samples:
        height, width = self.sizes[index].tolist()
        start, count = int(self._starts[index]), self.channels
        pixels = self._pixels[start : start + height * width * count].reshape(height, width, count)
        if not self._sound[index]:
            self._check(index, pixels)
        return pixels

    def _seen(self, pixels: Samples) -> Samples:
        if self.span is None and self.dtype == np.uint8:
            return pixels
        white = float(np.iinfo(self.dtype).max) if self.dtype.kind == "u" else 1.0
        return unit_of(pixels, self.span or (0.0, white))

    def _check(self, index: int, pixels: Samples) -> None:
        name = self.names[index]
        if digest_of(pixels) != self.digests[name]:
            with contextlib.suppress(OSError):  # without an index the next start decodes anew
                (self.folder / "index.json").unlink(missing_ok=True)
            raise UserError(
                f"Argument `{self.argument}`: what was decoded of {name} is damaged in "
                f"{self.folder}, as on a failing disk; start again, and it is decoded anew."
            )
        self._sound[index] = True

    def __getitem__(self, index: int) -> Samples:
        """As ``image``, so that a store is a sequence of photos; ends with an ``IndexError``."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.image(index)

    def gather(
        self,
        index: npt.NDArray[np.int64],
        top: npt.NDArray[np.int64],
        left: npt.NDArray[np.int64],
        size: int,
    ) -> Samples:
        """Cut square crops into an array (B, size, size, channels).

        Args:
            index: which image each crop comes from, (B,).
            top: first row, (B,).
            left: first column, (B,).
            size: side in pixels.

        Raises:
            IndexError: a crop leaves its image.
            UserError: a stored image is damaged.
        """
        for new in np.unique(index[~self._sound[index]]).tolist():
            self._kept(new)
        heights, widths = self.sizes[index].T
        outside = (top < 0) | (left < 0) | (top + size > heights) | (left + size > widths)
        if size < 1 or outside.any():
            raise IndexError(f"Crops of {size} pixels must lie inside their images.")
        count = self.channels
        crops = np.empty((len(index), size, size, count), self.dtype)
        # A row of a crop is one opaque element, so that numpy copies whole rows.
        row = np.dtype((np.void, size * count * self.dtype.itemsize))
        targets = crops.reshape(len(index), size * size * count).view(row)
        starts = self._starts[index] + (top * widths + left) * count
        for target, start, width in zip(targets, starts.tolist(), widths.tolist(), strict=True):
            place, step = (n * self.dtype.itemsize for n in (start, width * count))
            target[:] = np.ndarray((size,), row, self._pixels, place, (step,))
        return self._seen(crops)
