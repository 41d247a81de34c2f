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
from wildsr.photo.image import Pixels

VERSION = 3  # of the format, and of how files become pixels


def digest_of(pixels: Pixels) -> str:
    """The checksum of an image's pixels."""
    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).hexdigest()


def digest_of_index(index: Mapping[str, Any]) -> str:
    """The checksum of all that an index holds beside its own ``check``."""
    rest = {key: value for key, value in index.items() if key != "check"}
    return hashlib.blake2b(json.dumps(rest).encode(), digest_size=16).hexdigest()


class PackedStore:
    """Read-only images in one memory-mapped file. Pickled as its path alone.

    Each image is compared with its checksum when it is first looked at: a store may be too large to
    be read at every start.

    Attributes:
        argument: what the user calls this data set (``data.lr``), for error messages.
        key: hash of the content; equal keys mean the same files under the same names.
        names: the readable images, named by their path below the shared folder.
        sizes: int array (N, 2) of height and width.
        skipped: reason by name for the files that could not be read.
        digests: checksum of the pixels by name.
    """

    def __init__(self, folder: Path, argument: str) -> None:
        index = json.loads((folder / "index.json").read_text("utf-8"))
        if index["check"] != digest_of_index(index):
            raise ValueError(f"Store {folder} is damaged.")
        self.folder, self.argument, self.key = folder, argument, folder.name
        self.names: list[str] = list(index["sizes"])
        self.skipped: dict[str, str] = index["skipped"]
        self.digests: dict[str, str] = index["digests"]
        self._sound = np.zeros(len(self.names), bool)
        self.sizes: npt.NDArray[np.int64] = np.array(list(index["sizes"].values()), np.int64)
        lengths = self.sizes.prod(axis=1) * 3
        self._starts = np.cumsum(lengths) - lengths
        # No MADV_RANDOM: it halves the speed from a cold disk.
        self._pixels = np.memmap(folder / "pixels.bin", np.uint8, "r").view(np.ndarray)
        if (index["version"], len(self._pixels)) != (VERSION, lengths.sum()):
            raise ValueError(f"Store {folder} is damaged.")

    def __reduce__(self) -> tuple[type[PackedStore], tuple[Path, str]]:
        return PackedStore, (self.folder, self.argument)

    def __len__(self) -> int:
        return len(self.names)

    def image(self, index: int) -> Pixels:
        """One image as a read-only uint8 view (H, W, 3)."""
        height, width = self.sizes[index].tolist()
        start = int(self._starts[index])
        pixels = self._pixels[start : start + height * width * 3].reshape(height, width, 3)
        if not self._sound[index]:
            self._check(index, pixels)
        return pixels

    def _check(self, index: int, pixels: Pixels) -> None:
        name = self.names[index]
        if digest_of(pixels) != self.digests[name]:
            with contextlib.suppress(OSError):  # so that the next start decodes all of it anew
                (self.folder / "index.json").unlink(missing_ok=True)
            raise UserError(
                f"Argument `{self.argument}`: what was decoded of {name} is damaged in "
                f"{self.folder}, as on a failing disk; start again, and it is decoded anew."
            )
        self._sound[index] = True

    def __getitem__(self, index: int) -> Pixels:
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
    ) -> Pixels:
        """Cut square crops into a uint8 array (B, size, size, 3), one strided copy each.

        Args:
            index: which image each crop comes from, (B,).
            top: first row, (B,).
            left: first column, (B,).
            size: side in pixels.

        Raises:
            IndexError: a crop leaves its image.
            UserError: an image is no more what was decoded.
        """
        for new in np.unique(index[~self._sound[index]]).tolist():
            self.image(new)
        heights, widths = self.sizes[index].T
        outside = (top < 0) | (left < 0) | (top + size > heights) | (left + size > widths)
        if size < 1 or outside.any():
            raise IndexError(f"Crops of {size} pixels must lie inside their images.")
        crops = np.empty((len(index), size, size, 3), np.uint8)
        # A row of a crop is one opaque element, so that numpy copies rows and not bytes.
        row = np.dtype((np.void, size * 3))
        targets = crops.reshape(len(index), size * size * 3).view(row)
        starts = self._starts[index] + (top * widths + left) * 3
        for target, start, width in zip(targets, starts.tolist(), widths.tolist(), strict=True):
            target[:] = np.ndarray((size,), row, self._pixels, start, (width * 3,))
        return crops
