"""The record of a photo's JPEG (or other lossy) coding."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from wildsr.forensics.tables import Table, libjpeg_tables, nearest_quality, transposed

HEADER, PIXELS, NONE, UNREAD = "header", "pixels", "none", "unread"
WEBP = "WebP"  # a kind


@dataclass(frozen=True)
class Coding:
    """How a photo was compressed, as far as its file and its pixels show.

    Attributes:
        source: "header" (read from the file), "pixels" (estimated from them), "none", or
            "unread": it was not looked for.
        kind: "JPEG", "WebP", "AVIF" ...; None if no lossy coding is known. Of WebP the kind and
            the quality are known, of others than these two only the kind.
        luma: quantisation steps of luminance, 64, row by row, vertical frequency growing with the
            row, for the upright photo; 0 for a step that the pixels do not reveal.
        chroma: the same for chrominance; None for a gray photo, or if not known.
        subsampling: of chrominance, "4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", or "4:0:0" for a
            gray photo; None if not known.
        phase: row and column of the pixel at which the first whole block of 8 x 8 begins, 0 to 7.
        chroma_phase: the same for blocks of chrominance, in pixels of the photo: 0 to 7, or up to
            15 in a direction that is subsampled by 2. None if not known.
        quality: of libjpeg, 1 to 100, whose luminance table is nearest; of libwebp, 0 to 100.
        exact: whether it is that table, as far as it is known.
        older: an earlier, coarser coding that shows in the pixels.
        enlarged: factor by which the photo was enlarged before its last coding, if its pixels
            show one.
    """

    source: str = NONE
    kind: str | None = None
    luma: Table | None = None
    chroma: Table | None = None
    subsampling: str | None = None
    phase: tuple[int, int] | None = None
    chroma_phase: tuple[int, int] | None = None
    quality: int | None = None
    exact: bool = False
    older: Coding | None = None
    enlarged: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain lists, numbers and strings; empty fields are left out."""
        said = asdict(self).items()
        found = {n: v for n, v in said if v is not None and v is not False}  # a quality can be 0
        if self.older is not None:
            found["older"] = self.older.to_dict()
        return {n: list(v) if isinstance(v, tuple) else v for n, v in found.items()}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Coding:
        """The inverse of :meth:`to_dict`."""
        found: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in record.items()
        }
        if "older" in found:
            found["older"] = cls.from_dict(found["older"])
        return cls(**found)

    def __str__(self) -> str:
        text = self.kind or "no lossy coding found"
        if self.quality is not None:
            text += f" of quality {'' if self.exact else 'about '}{self.quality}"
        if self.subsampling:
            text += ", gray" if self.subsampling == "4:0:0" else f", {self.subsampling}"
        if self.source == PIXELS and self.phase is not None:
            text += f", grid at ({self.phase[0]}, {self.phase[1]})"
        if self.older is not None and self.older.quality is not None:
            text += f", {'' if self.older.exact else 'about '}{self.older.quality} before"
        return text if self.enlarged is None else f"{text}, enlarged by about {self.enlarged:.2g}"


def jpeg_coding(source: str, luma: Table, chroma: Table | None = None, **known: Any) -> Coding:
    """Make a JPEG record, with the libjpeg quality that its luminance table is nearest to."""
    quality, exact = nearest_quality(luma)
    return Coding(source, "JPEG", luma, chroma, quality=quality, exact=exact, **known)


def filled(table: Table, chrominance: bool = False) -> Table:
    """Fill the gaps of a table with the steps of the nearest libjpeg quality."""
    quality, _ = nearest_quality(table, chrominance)
    near = libjpeg_tables()[int(chrominance), quality - 1]
    return tuple(int(step) for step in np.where(np.asarray(table) > 0, table, near))


# What they are after a rotation by 90 degrees; the others then have no name.
_TURNED = {"4:2:2": "4:4:0", "4:4:0": "4:2:2"} | {n: n for n in ("4:2:0", "4:4:4", "4:0:0")}


def upright(coding: Coding, orientation: int, height: int, width: int) -> Coding:
    """The record of a photo after it was rotated as its EXIF orientation says.

    Rotations by 90 degrees transpose the tables; mirroring moves the start of the first whole
    block.

    Args:
        coding: of the photo as stored in the file, its grid at (0, 0).
        orientation: TIFF's tag 274, 1 to 8.
        height: of the photo as stored in the file.
        width: the same.
    """
    if coding.luma is None or orientation not in range(2, 9):
        return coding
    swapped, sampling = orientation in (5, 6, 7, 8), coding.subsampling
    luma, chroma, unit = coding.luma, coding.chroma, chroma_unit(sampling)
    if swapped:
        luma, chroma = transposed(luma), chroma and transposed(chroma)
        sampling, unit = _TURNED.get(sampling or ""), unit[::-1]
        height, width = width, height
    bottom, right = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return jpeg_coding(
        coding.source,
        luma,
        chroma,
        subsampling=sampling,
        phase=(bottom * (height % 8), right * (width % 8)),
        chroma_phase=coding.chroma_phase
        and tuple(
            flipped * (side % block)
            for flipped, side, block in zip((bottom, right), (height, width), unit, strict=True)
        ),
    )


def chroma_unit(subsampling: str | None) -> tuple[int, int]:
    """Height and width in pixels of the photo that one 8 x 8 block of chrominance covers."""
    down, across = _SHRUNK.get(subsampling or "", (1, 1))
    return 8 * down, 8 * across


_SHRUNK = {
    "4:2:0": (2, 2),
    "4:2:2": (1, 2),
    "4:4:0": (2, 1),
    "4:1:1": (1, 4),
    "4:1:0": (2, 4),
}
