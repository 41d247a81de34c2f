"""Open files of measured values; decides which files are treated as such."""

from __future__ import annotations

from pathlib import Path

from wildsr.photo.raster.array import ArrayRaster
from wildsr.photo.raster.base import Raster
from wildsr.photo.raster.dicom import DicomRaster
from wildsr.photo.raster.geo import GeoRaster
from wildsr.photo.raster.tiff import TiffRaster, what_tiff

FORMATS = ("npy", "npz", "dicom")  # that never hold an ordinary photo


def open_raster(path: Path, format: str, limit: float | None) -> Raster | None:
    """Open a file of measured values with everything in it; None for an ordinary photo.

    Args:
        path: the file.
        format: of :func:`wildsr.photo.formats.format_of`.
        limit: megapixels of a page; None for any number.

    Raises:
        UserError: a package that the format needs is not installed.
        Exception: any exception of a decoder, for damaged files.
    """
    if format == "tiff":
        ordinary, more, geo = what_tiff(path)
        if geo:
            return GeoRaster(path, limit)
        return TiffRaster(path, limit) if more or not ordinary else None
    return _other(path, format, limit)


def open_plainly(path: Path, format: str, limit: float | None) -> Raster | None:
    """Like :func:`open_raster` for callers that need one picture: None if page 1 is a photo."""
    if format == "tiff":
        return None if what_tiff(path)[0] else TiffRaster(path, limit)
    return _other(path, format, limit)


def _other(path: Path, format: str, limit: float | None) -> Raster | None:
    if format in ("npy", "npz"):
        return ArrayRaster(path, format, limit)
    if format == "dicom":
        return DicomRaster(path, limit)
    return None
