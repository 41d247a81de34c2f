"""Write TIFF files strip by strip, with the metadata of a TIFF source."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from wildsr.photo.raster.base import Page, Plan, Raster, Values, Writer
from wildsr.photo.raster.ome import enlarged, names_other_files
from wildsr.photo.raster.tiff import TiffRaster, open_tiff

STRIP = 1 << 18  # bytes of a strip
CLASSIC = 3_900_000_000  # bytes; above them a BigTIFF
LEVEL = 6  # of Deflate
# Tags that are copied as they are: names, makers, artists, page numbers, XMP, IPTC.
TEXTS = (269, 271, 272, 285, 315, 316, 33432)
BYTES = (700, 33723)
INCH, NO_UNIT = 2, 1
CONVERTED = ("SEPARATED", "CIELAB")


class TiffWriter(Writer):
    """Writes a TIFF: Deflate, in strips, a BigTIFF above 4 GB.

    From a TIFF source it keeps for every page: description (OME-XML and ImageJ's with corrected
    sizes), artist, make, model, software, date, page name and number, colour profile, XMP, IPTC;
    and the resolution, times the factor. Vendors' own tags and ImageJ's overlays are left out,
    because they hold sizes in pixels.

    Args:
        path: is overwritten.
        source: the file that was upscaled.
        plan: see :class:`wildsr.photo.raster.base.Plan`.
    """

    def __init__(self, path: Path, source: Raster, plan: Plan) -> None:
        import tifffile

        self.source, self.plan = source, plan
        room = sum(p.height * p.width * p.bands * p.dtype.itemsize for p in plan.pages)
        self.order: Literal["<", ">"] = "<"
        self.carried: list[dict[str, Any]] = [{} for _ in plan.pages]
        if isinstance(source, TiffRaster):
            with open_tiff(source.path) as file:
                self.order = file.byteorder
                whole = len(plan.pages) == len(source.pages)
                for number in range(len(plan.pages)):
                    self.carried[number] = self._of_tiff(file, number, whole, tifffile)
        self.file = tifffile.TiffWriter(path, bigtiff=room > CLASSIC, byteorder=self.order)

    def page(self, number: int, strips: Iterable[Values]) -> None:
        """Write a page from strips (rows, W, bands)."""
        page = self.plan.pages[number]
        row = page.width * page.bands * page.dtype.itemsize
        rows = min(max(STRIP // row, 1), page.height)
        colours = 3 if page.colour == (0, 1, 2) else 1
        extra = [0] * (page.bands - colours)
        if page.alpha is not None:
            extra[page.alpha - colours] = 2
        differ = page.dtype.kind in "iu"
        carried = {"photometric": "rgb" if colours == 3 else "minisblack", **self.carried[number]}
        shape = (page.height, page.width, page.bands)
        bilevel = page.dtype.kind == "b"
        self.file.write(
            self._coded(strips, page, rows, differ),
            shape=shape[:2] if page.bands == 1 else shape,
            dtype=np.uint8 if bilevel else page.dtype,
            planarconfig=None if page.bands == 1 else "contig",
            extrasamples=extra or None,
            rowsperstrip=rows,
            compression="zlib",
            predictor=differ,
            metadata=None,
            **carried,
        )

    def _coded(
        self, strips: Iterable[Values], page: Page, rows: int, differ: bool
    ) -> Iterator[bytes]:
        """Strips of ``rows`` rows, by Deflate; whole numbers as differences (predictor 2)."""
        rest: Values | None = None
        for strip in strips:
            rest = strip if rest is None else np.concatenate([rest, strip])
            while len(rest) >= rows:
                yield self._one(rest[:rows], differ)
                rest = rest[rows:]
        if rest is not None and len(rest):
            yield self._one(rest, differ)

    def _one(self, rows: Values, differ: bool) -> bytes:
        if rows.dtype.kind == "b":
            rows = rows.astype(np.uint8) * np.uint8(255)
        if differ:
            wrapped = rows.view(rows.dtype.str.replace("i", "u"))
            rows = wrapped.copy()
            rows[:, 1:] -= wrapped[:, :-1]
        kind = rows.dtype.newbyteorder(self.order)
        return zlib.compress(np.ascontiguousarray(rows.astype(kind)).tobytes(), LEVEL)

    def close(self) -> None:
        """Complete the file."""
        self.file.close()

    def abandon(self) -> None:
        """Close the incomplete file."""
        self.file.close()

    def _of_tiff(self, file: Any, number: int, whole: bool, tifffile: Any) -> dict[str, Any]:
        """What a page of the source carries, as arguments of tifffile's ``write``."""
        assert isinstance(self.source, TiffRaster)
        place = self.source.places[self.plan.of[number]]
        if place.frame:  # of one directory, which the first frame has given
            return {"software": False}
        page, made = file.pages[place.directory], self.plan.pages[number]
        factors = self.plan.factors(number, self.source)
        tags = page.tags
        carried: dict[str, Any] = {"software": tags.valueof(305) or False}
        extra: list[tuple[Any, ...]] = []
        for code in TEXTS:
            if code in tags:
                extra.append((code, 2, None, _text(tags[code].value), True))
        for code in BYTES:
            if code in tags:
                data = bytes(_raw(tags[code]))
                extra.append((code, 1, len(data), data, True))
        if 306 in tags:
            carried["datetime"] = str(tags[306].value)[:19]
        if 297 in tags and whole:
            extra.append((297, 3, 2, tags[297].value, True))
        description = tags.valueof(270)
        if number == 0 and description is not None:
            description, more = self._described(file, str(description), factors, made, whole)
            extra += [] if more is None else [*tifffile.imagej_metadata_tag(more, self.order)]
        if description:
            carried["description"] = str(description).encode()
        if page.photometric.name == "MINISWHITE" and place.plain:
            carried["photometric"] = "miniswhite"
        # A profile of CMYK or Lab describes numbers that the pixels have left.
        if 34675 in tags and (place.plain or page.photometric.name not in CONVERTED):
            carried["iccprofile"] = bytes(_raw(tags[34675]))
        if (dense := _resolution(tags)) is not None:
            unit = int(tags.valueof(296, INCH))
            dense = dense[::-1] if place.orientation > 4 else dense  # of the upright page
            carried["resolution"] = tuple(r * f for r, f in zip(dense, factors, strict=True))
            carried["resolutionunit"] = unit
        if extra:
            carried["extratags"] = extra
        return carried

    def _described(
        self, file: Any, text: str, factors: tuple[float, float], made: Page, whole: bool
    ) -> tuple[str | None, dict[str, Any] | None]:
        """The description of the first page, and ImageJ's tags that go with it."""
        if (file.is_ome or file.is_shaped) and made.bands != file.pages[0].samplesperpixel:
            return None, None  # it describes bands that are not in the result
        if file.is_ome and text == file.pages[0].description:
            if not whole or names_other_files(text):
                return None, None  # it describes pages that are not in the result
            size = (made.width, made.height)
            return enlarged(text, factors, size, made.dtype.name), None
        if file.is_imagej:
            if not whole:
                return None, None
            more = dict(file.imagej_metadata or {})
            kept = {key: more[key] for key in ("Info", "Labels", "LUTs", "Ranges") if key in more}
            return text, kept
        if file.is_shaped:
            return _shaped(text, file.pages[0], made) if whole else None, None
        return text, None


def _shaped(text: str, page: Any, made: Page) -> str | None:
    """The shape that tifffile's own files state, of the enlarged pages."""
    try:
        said = json.loads(text)
        shape = list(said["shape"])
    except (ValueError, KeyError, TypeError):
        return None
    end = 1 if page.samplesperpixel > 1 and shape[-1:] == [page.samplesperpixel] else 0
    place = len(shape) - end - 2
    if place < 0 or shape[place : place + 2] != [page.imagelength, page.imagewidth]:
        return None
    shape[place : place + 2] = made.height, made.width
    return json.dumps({**said, "shape": shape})


def _text(value: Any) -> bytes:
    return (value if isinstance(value, bytes) else str(value).encode()) + b"\0"


def _raw(tag: Any) -> Any:
    value = tag.value
    return value if isinstance(value, bytes) else bytes(np.asarray(value).tobytes())


def _resolution(tags: Any) -> tuple[float, float] | None:
    """Pixels per unit; None if the file has none, or 72 per inch, which only fills the tag."""
    try:
        found = tuple(tags[code].value for code in (282, 283))
        across, down = (top / bottom for top, bottom in found)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    unit = int(tags.valueof(296, INCH))
    nothing = across <= 0 or down <= 0 or (unit == NO_UNIT and across == down == 1)
    return None if nothing or (unit == INCH and across == down == 72) else (across, down)
