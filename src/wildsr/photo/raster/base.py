"""The common interface to files of measured values: pages of rows, with bands of one dtype."""

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
    """The description of one picture of a file.

    Attributes:
        height, width: pixels.
        bands: values per pixel, alpha included.
        dtype: their type, in native byte order.
        colour: indices (from 0) of the red, green and blue bands; empty if there are none.
        alpha: index of the band that holds alpha, or None.
        channel: pages with the same number show the same quantity, and share a value range.
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
        suffix: the usual suffix of this format, without a dot.
        pages: see :class:`Page`.
        names: of the bands, if the file has them; else empty.
        nodata: for each band the value that means "not measured", or None.
        stated: the value range that the file declares (12 of 16 bits, say), or None.
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
        """Read a page from its first row; the caller closes the result.

        Raises:
            Exception: any exception of a decoder, for damaged files.
        """

    def missing(self, page: int) -> list[float | None]:
        """For each band of a page the value that means "not measured", or None."""
        bands = self.pages[page].bands
        return list(self.nodata) if len(self.nodata) == bands else [None] * bands

    def shown(self, page: int) -> Range | None:
        """The value range in which the file asks to be displayed (a DICOM window), or None."""
        return None

    def in_units(self) -> None:
        """Make :meth:`rows` give values in physical units from now on, if the file defines them."""
        return

    rescaled = False  # whether physical values are a linear function of the stored ones

    def stored_range(self, span: Range) -> Range:
        """Convert a range of physical values to the values that :meth:`rows` gives."""
        return span

    inverted = False  # whether the smallest value is to be shown as white


class PageRows:
    """Reads the rows of a page that is in memory.

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
        """Release the file."""


class Writer(ABC):
    """Writes a file page by page, each page strip by strip."""

    @abstractmethod
    def page(self, number: int, strips: Iterable[Values]) -> None:
        """Write a page.

        Args:
            number: its place in the plan.
            strips: (rows, W, bands) each, from top to bottom.
        """

    @abstractmethod
    def close(self) -> None:
        """Complete the file."""

    @abstractmethod
    def abandon(self) -> None:
        """Close an incomplete file that is not wanted any more."""


@dataclass(frozen=True)
class Plan:
    """Which pages and bands a result file has.

    Attributes:
        pages: of the result.
        of: for each page of the result, the number of its source page.
        bands: for each page, the bands of the source page that it holds, in this order.
        identity: whether data that identifies a patient is kept.
    """

    pages: Sequence[Page]
    of: Sequence[int]
    bands: Sequence[Sequence[int]]
    identity: bool = False

    def factors(self, number: int, source: Raster) -> tuple[float, float]:
        """Result size / source size, (horizontal, vertical), of a page."""
        made, given = self.pages[number], source.pages[self.of[number]]
        return made.width / given.width, made.height / given.height


def allow_pages(path: Path, pages: Sequence[Page], limit: float | None) -> None:
    """Refuse a file whose pages need more memory than ``limit`` allows, before they are decoded.

    A megapixel stands for 8 MB: a 16-bit photo with alpha. Each page may have that much; together
    they may have more, but no more than lossless compression can expand the file's bytes to.

    Args:
        path: the file.
        pages: of it.
        limit: megapixels; None for any number.

    Raises:
        ValueError: there are no pages, or empty ones.
        TooLarge: the pages need more than ``limit``.
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
