"""What a file of measured values is: pages of rows, each of some bands of one number type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wildsr.photo.unreadable import TooLarge

Values = npt.NDArray[Any]  # (rows, width, bands)
Range = tuple[float, float]
ROOM = (
    8  # bytes of a pixel of a photo of 16 bits with alpha: what a megapixel of `limit` stands for
)
MOST_PAGES = 1 << 16
DENSEST = 1100  # times that lossless coding makes a file smaller; deflate's limit is 1032


@dataclass(frozen=True)
class Page:
    """One picture of a file.

    Attributes:
        height, width: pixels.
        bands: numbers in a pixel, alpha among them.
        dtype: their type, in the machine's byte order.
        colour: which bands are red, green and blue, from 0; empty for others.
        alpha: which band says how opaque a pixel is, from 0.
        channel: pages of one number show the same quantity, and share a range.
    """

    height: int
    width: int
    bands: int
    dtype: np.dtype[Any]
    colour: tuple[int, ...] = ()
    alpha: int | None = None
    channel: int = 0


class Raster(ABC):
    """A file of measured values, opened: its header is read, its pixels are not.

    Attributes:
        path: the file.
        format: "tiff", "geotiff", "dicom", "npy" or "npz".
        suffix: of a file of its own kind, without a dot.
        pages: see :class:`Page`.
        names: of the bands, where the file has them; else empty.
        nodata: the value of each band that stands for "not measured"; None where there is none.
        stated: what the file says its values lie in (12 of 16 bits, say), or None.
    """

    path: Path
    format: str
    suffix: str
    pages: list[Page]
    names: tuple[str, ...] = ()
    nodata: tuple[float | None, ...] = ()
    stated: Range | None = None

    @abstractmethod
    def rows(self, page: int) -> PageRows:
        """The values of a page, from its first row; whoever is done closes them.

        Raises:
            Exception: whatever decoders raise for damaged files.
        """

    def missing(self, page: int) -> list[float | None]:
        """For each band of a page the value that stands for "not measured", or None."""
        bands = self.pages[page].bands
        return list(self.nodata) if len(self.nodata) == bands else [None] * bands

    def shown(self, page: int) -> Range | None:
        """The range that the file asks to be shown in: a window, or None."""
        return None

    def in_units(self) -> None:
        """From now on give what the stored values stand for, where the file says that."""
        return

    rescaled = False  # whether stored numbers stand for others

    def stored_range(self, span: Range) -> Range:
        """A range of what stored numbers stand for, in the numbers that rows now have."""
        return span

    inverted = False  # whether the smallest value is to be shown as white


class PageRows:
    """The rows of a page that is in memory.

    Args:
        values: (H, W, bands).
    """

    def __init__(self, values: Values) -> None:
        self.height, self.width, self.channels = values.shape
        self.dtype: np.dtype[Any] = values.dtype
        self._values, self._row = values, 0

    def read(self, count: int) -> Values:
        """The next ``count`` rows, (count, W, bands)."""
        self._row += count
        return self._values[self._row - count : self._row]

    def again(self) -> PageRows:
        """The same page from its first row."""
        return PageRows(self._values)

    def close(self) -> None:
        """Let go of the file."""


class Writer(ABC):
    """Writes a file page by page, and strip by strip."""

    @abstractmethod
    def page(self, number: int, strips: Iterable[Values]) -> None:
        """Write the page of this place in the plan from its strips, top to bottom."""

    @abstractmethod
    def close(self) -> None:
        """Complete the file."""

    @abstractmethod
    def abandon(self) -> None:
        """Let go of a file that is not wanted any more."""


@dataclass(frozen=True)
class Plan:
    """What is to be written.

    Attributes:
        pages: of the result.
        of: for each, the page of the source that it is made of.
        bands: for each, the bands of the source page that it holds, in this order.
        identity: whether what identifies a patient is kept.
    """

    pages: Sequence[Page]
    of: Sequence[int]
    bands: Sequence[Sequence[int]]
    identity: bool = False

    def factors(self, number: int, source: Raster) -> tuple[float, float]:
        """Result size / source size, (across, down), of a page."""
        made, given = self.pages[number], source.pages[self.of[number]]
        return made.width / given.width, made.height / given.height


def allow_pages(path: Path, pages: Sequence[Page], limit: float | None) -> None:
    """Refuse a file whose pages need more room than ``limit`` allows, before they are decoded.

    A megapixel stands for 8 MB: a 16-bit photo with alpha. Each page may have as many; all
    of them together may have more, but no more than lossless coding makes of the file's bytes.

    Args:
        path: the file.
        pages: of it.
        limit: megapixels; None for any number.

    Raises:
        ValueError: there are no pages, or empty ones.
        TooLarge: more than that.
    """
    if not pages or any(page.height * page.width * page.bands == 0 for page in pages):
        raise ValueError("it holds no pixels")
    if limit is None:
        return

    def refuse(reason: str) -> None:
        failure = TooLarge(f"{path} has {reason}.")
        failure.reason = reason
        raise failure

    total = 0
    for page in pages:
        pixels = page.height * page.width
        room = page.bands * page.dtype.itemsize
        total += pixels * room
        if max(pixels, pixels * room / ROOM) > limit * 1e6:
            of = f" of {page.bands} x {page.dtype}" if pixels <= limit * 1e6 else ""
            refuse(
                f"{page.width} x {page.height} pixels{of}, more than `limit` allows "
                f"({limit:g} megapixels)"
            )
    if total > max(limit * 1e6 * ROOM, DENSEST * path.stat().st_size):
        refuse(
            f"{len(pages)} pages that overlap or repeat each other, together more than `limit` "
            f"allows ({limit:g} megapixels)"
        )
    if len(pages) > MOST_PAGES:
        refuse(f"{len(pages)} pages, at most {MOST_PAGES} are read (limit=null reads any)")
