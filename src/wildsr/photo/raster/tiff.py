"""Read TIFF files of any number of pages and bands, of any numeric type, by tifffile.

Ordinary photos (a single page of 8 or 16 bits, gray or RGB) are read by
:class:`wildsr.photo.stream.Photo`; :func:`what_tiff` tells the two apart.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wildsr.photo.conversion import DEPTHS, converted
from wildsr.photo.raster.base import Page, PageRows, Raster, Values, allow_pages
from wildsr.photo.tiff_strips import check_strips
from wildsr.photo.vips import pyvips

# Tags of the georeference (of raw satellite photos, rational polynomials), and GDAL's own (its
# metadata, nodata).
GEO_TAGS = (33550, 33922, 34264, 34735, 50844, 42112, 42113)
REDUCED, MASK = 1, 4  # bits of tag 254: smaller copies of other pages, and masks of them
ALPHA = (1, 2)  # tag 338: associated and unassociated alpha; 0 is a band like the others
PLAIN = ("MINISBLACK", "MINISWHITE", "RGB")  # photometric interpretations without a conversion
_TURNS: dict[int, Callable[[Values], Values]] = {  # what to do to see a page upright
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: np.rot90,
}


def open_tiff(path: Path) -> Any:
    """Open a file by tifffile; the caller closes it by a ``with`` statement.

    Raises:
        ValueError: it has no first page.
    """
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # errors are reported by this module
    file = tifffile.TiffFile(path)
    try:
        file.pages[0]
    except IndexError as error:
        file.close()
        raise ValueError("damaged, or it ends early (its first page is not there)") from error
    return file


def is_plain(page: Any) -> bool:
    """Whether a page's stored numbers are the values: no palette, no CMYK, at least 8 bits."""
    name = getattr(page.photometric, "name", "")
    return page.dtype is not None and page.bitspersample >= 8 and name in PLAIN


def is_ordinary(page: Any) -> bool:
    """Whether a page is like a photo: 8 or 16 bits, gray or RGB, perhaps with alpha."""
    if not is_plain(page):
        return page.dtype is None or page.bitspersample <= 16
    extra = [int(value) for value in page.extrasamples]
    colours = page.samplesperpixel - len([value for value in extra if value in ALPHA][-1:])
    rgb = page.photometric.name == "RGB"
    return page.dtype in (np.uint8, np.uint16) and colours == (3 if rgb else 1)


def what_tiff(path: Path) -> tuple[bool, bool, bool]:
    """Examine a TIFF's directories.

    Returns:
        Three booleans: its first page is an ordinary photo; there is more to keep than one photo
        (several pages, or a microscope's axes and pixel sizes); it is a GeoTIFF.
    """
    with open_tiff(path) as file:
        page = file.pages[0]
        geo = any(code in page.tags for code in GEO_TAGS)
        more = file.is_ome or file.is_imagej or _second(file)
        return is_ordinary(page), bool(more), geo


def _second(file: Any) -> bool:
    """Whether there is a page after the first that is not a smaller copy of it, or its mask."""
    try:
        return not int(file.pages[1].subfiletype) & (REDUCED | MASK)
    except IndexError:
        return False


@dataclass(frozen=True)
class Place:
    """Where the pixels of a page are.

    Attributes:
        directory: number of the page's directory.
        offset: position of the directory in the file, in bytes.
        frame: number of the frame in an ImageJ file with one directory for all pages; else None.
        plain: whether the stored numbers are the values; else libvips converts them.
        orientation: of the page (TIFF 6.0, tag 274).
    """

    directory: int
    offset: int
    frame: int | None
    plain: bool
    orientation: int


class TiffRaster(Raster):
    """A TIFF file: plain, ImageJ's or OME's, classic or BigTIFF, in strips or tiles.

    Gives the stored numbers of every page, upright; palettes, CMYK, Lab and less than 8 bits become
    gray or RGB of 8 or 16 bits. Reduced copies (pyramids, thumbnails) are left out.

    Args:
        path: the file.
        limit: see :func:`wildsr.photo.raster.base.allow_pages`.

    Raises:
        ValueError: pages with a depth axis, complex numbers, a damaged file.
        TooLarge: pages larger than ``limit``.
    """

    def __init__(self, path: Path, limit: float | None) -> None:
        self.path, self.format, self.suffix = path, "tiff", "tif"
        self.pages: list[Page] = []
        self.places: list[Place] = []
        with open_tiff(path) as file:
            channels = _channels(file)
        with open_tiff(path) as file:  # opened again: reading the axes changes the pages
            frames = _virtual_frames(file)
            for number, page in enumerate(file.pages):
                if int(page.subfiletype) & (REDUCED | MASK):
                    continue
                plain = is_plain(page)
                self._check(page, plain)
                found = _plain_page(page, channels.get(number, 0)) if plain else self._other(number)
                for frame in range(frames or 1):
                    where = frame if frames else None
                    lies = int(page.tags.valueof(274, 1) or 1)
                    self.places.append(Place(number, page.offset, where, plain, lies))
                    self.pages.append(_upright(found, lies))
            bits = file.pages[0].bitspersample
            if is_plain(file.pages[0]) and bits in (10, 12, 14):
                self.stated = (0, 2**bits - 1)
            self.stated = _significant(file.ome_metadata) or self.stated
            self.nodata = _nodata(file.pages[0], self.pages[0].bands)
        allow_pages(path, self.pages, limit)

    @staticmethod
    def _check(page: Any, plain: bool) -> None:
        if page.imagedepth > 1:
            raise ValueError("pages of several planes (ImageDepth) are not read")
        if plain and page.dtype.kind not in "uif":
            raise ValueError(f"pixels of {page.dtype}, only real numbers are read")

    def _vips(self, number: int) -> Any:
        """A page by libvips, whose decoder knows more codings than tifffile alone."""
        # Without what decides about numbers being turned round: that is kept as it is.
        return pyvips.Image.tiffload(os.fsencode(self.path), page=number, fail_on="error")

    def _other(self, number: int) -> Page:
        image = self._vips(number)
        converted_image = converted(image, None)
        dtype = DEPTHS[converted_image.format]
        bands = converted_image.bands
        colour = (0, 1, 2) if bands > 2 else ()
        alpha = bands - 1 if bands in (2, 4) else None
        return Page(converted_image.height, converted_image.width, bands, dtype, colour, alpha)

    def rows(self, page: int) -> PageRows:
        """Read the values of a page.

        Raises:
            ValueError: the page is damaged, truncated, or of another size than its header says.
        """
        place, kind = self.places[page], self.pages[page]
        values = self._plain(place, kind) if place.plain else self._converted(place, kind)
        if place.orientation in _TURNS:
            values = _TURNS[place.orientation](values)
        if values.shape != (kind.height, kind.width, kind.bands):
            raise ValueError(f"page {page + 1} is not of the size that its header says")
        return PageRows(np.ascontiguousarray(values, kind.dtype))

    def _converted(self, place: Place, kind: Page) -> Values:
        check_strips(self.path, place.offset)
        image = converted(self._vips(place.directory), None)
        values: Values = image.numpy().reshape(image.height, image.width, kind.bands)
        return values

    def _plain(self, place: Place, kind: Page) -> Values:
        with open_tiff(self.path) as file:
            page = file.pages[place.directory]
            if place.frame is not None:
                return _frame(self.path, page, place.frame)
            _check_whole(page, self.path.stat().st_size)
            check_strips(self.path, place.offset)
            try:
                values = page.asarray()
            except ValueError as error:
                if "imagecodecs" not in str(error):
                    raise
                values = None
            planes = page.axes.startswith("S")
        if values is None:  # a compression that tifffile alone cannot decode
            image = self._vips(place.directory)
            values, planes = image.numpy(), False
            if page.photometric.name == "MINISWHITE" and image.format in ("uchar", "ushort"):
                values = np.iinfo(values.dtype).max - values  # libvips has inverted them
        values = np.moveaxis(values, 0, -1) if planes else values
        return values.reshape(*values.shape[:2], -1)


def _upright(page: Page, orientation: int) -> Page:
    return replace(page, height=page.width, width=page.height) if orientation > 4 else page


def _plain_page(page: Any, channel: int) -> Page:
    extra = [int(value) for value in page.extrasamples]
    samples = int(page.samplesperpixel)
    alphas = [n for n, value in enumerate(extra) if value in ALPHA]
    alpha = samples - len(extra) + alphas[-1] if alphas else None
    colour = (0, 1, 2) if page.photometric.name == "RGB" and samples >= 3 else ()
    dtype = np.dtype(page.dtype).newbyteorder("=")
    height, width = int(page.imagelength), int(page.imagewidth)
    return Page(height, width, samples, dtype, colour, alpha, channel)


def _nodata(page: Any, bands: int) -> tuple[float | None, ...]:
    """GDAL's value for "not measured", which is one for all bands."""
    try:
        return (float(str(page.tags.valueof(42113)).rstrip("\0 ")),) * bands
    except ValueError:
        return ()


def _check_whole(page: Any, size: int) -> None:
    """Refuse a page whose strips or tiles lie beyond the end of the file.

    A part of zero bytes was never written: it shows zeros, as programs show it.
    """
    pairs = zip(page.dataoffsets, page.databytecounts, strict=True)
    if any(offset + count > size for offset, count in pairs if count):
        raise ValueError("damaged, or it ends early (pixels lie beyond its end)")
    rows = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    across = -(-page.imagewidth // page.tilewidth) if page.is_tiled else 1
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    if len(page.dataoffsets) < -(-page.imagelength // rows) * across * planes:
        raise ValueError("damaged (some of its pixels are nowhere)")


def _virtual_frames(file: Any) -> int:
    """Pages of an ImageJ file that has one directory for all of them (above 4 GB); else 0.

    Raises:
        ValueError: more of them than the file has bytes for.
    """
    said = file.imagej_metadata or {}
    count = int(said.get("images", 1) or 1)
    page = file.pages[0]
    if len(file.pages) > 1 or count < 2 or page.compression != 1:
        return 0
    size = page.imagelength * page.imagewidth * page.samplesperpixel * page.bitspersample // 8
    there = (file.filehandle.size - page.dataoffsets[0]) // max(size, 1)
    if count > there:
        raise ValueError(f"it ends early (page {there + 1} of {count} is not there)")
    return count


def _frame(path: Path, page: Any, number: int) -> Values:
    dtype = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    place = page.dataoffsets[0] + number * int(np.prod(shape)) * dtype.itemsize
    return np.memmap(path, dtype, "r", place, shape)


def _channels(file: Any) -> dict[int, int]:
    """Which pages show the same quantity: those of one channel of OME's or ImageJ's axes."""
    found: dict[int, int] = {}
    try:
        for first, series in enumerate(file.series):
            outer = [(axis, n) for axis, n in zip(series.axes, series.shape, strict=True)]
            outer = [(axis, n) for axis, n in outer if axis not in "YXS"]
            sizes = tuple(n for _, n in outer)
            place = next((i for i, (axis, _) in enumerate(outer) if axis == "C"), None)
            for number, page in enumerate(series.pages):
                if page is None:
                    continue
                channel = 0 if place is None else np.unravel_index(number, sizes)[place]
                found[page.index] = first * 1000 + int(channel)
    except Exception:  # axes that do not fit the pages say nothing about the pixels
        return {}
    return found


def _significant(ome: str | None) -> tuple[float, float] | None:
    """The range that OME's SignificantBits states."""
    found = re.search(r'SignificantBits="(\d{1,2})"', ome or "")
    signed = re.search(r'\bType="(float|double|int)', ome or "")
    return None if not found or signed else (0.0, 2.0 ** int(found.group(1)) - 1)
