"""Choose the writer of a result of measured values, and refuse what a format cannot hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from wildsr.error import UserError
from wildsr.photo.encode import DEEP, Encoder, Target
from wildsr.photo.raster.array import ArrayRaster, ArrayWriter
from wildsr.photo.raster.base import Plan, Raster, Values, Writer
from wildsr.photo.raster.dicom import DicomRaster
from wildsr.photo.raster.dicom_write import DicomWriter
from wildsr.photo.raster.geo import GeoRaster, GeoWriter
from wildsr.photo.raster.tiff_write import TiffWriter

RASTERS = ("tif", "npy", "npz", "dcm")


def check_fits(format: str, source: Raster, plan: Plan, target: Path) -> None:
    """Check that a format can hold a result, before it is computed.

    Args:
        format: a value of ``wildsr.photo.encode.FORMATS``.
        source: the file to upscale.
        plan: pages and bands of the result.
        target: the result, for the message.

    Raises:
        UserError: the format cannot hold it; the message names an option that works.
    """
    first = plan.pages[0]
    if format == "npy":
        if len({(p.height, p.width, p.bands, p.dtype) for p in plan.pages}) > 1:
            raise UserError(f"{target}: npy holds pages of one size and type; npz holds any.")
        arrays = {source.where[of][0] for of in plan.of} if isinstance(source, ArrayRaster) else ()
        if len(arrays) > 1:
            raise UserError(
                f"{target}: npy holds one array, but {source.path} has {len(arrays)}; "
                "page= picks one, and npz holds all."
            )
        return
    if format == "dcm":
        if not isinstance(source, DicomRaster):
            raise UserError(f"{target}: dcm is made of DICOM files only, not of {source.path}.")
        if first.dtype != source.stored or first.bands not in (1, source.pages[0].bands):
            raise UserError(
                f"{target}: dcm keeps the type of the stored values, {source.stored}, and all "
                "bands or one; depth= and bands= need another format, such as tif."
            )
    if format in RASTERS:
        return
    if len(plan.pages) > 1:
        raise UserError(
            f"{target}: {format} holds one picture, but {source.path} has {len(plan.pages)} pages; "
            "page= picks one, and format=tif holds all."
        )
    kinds = (np.uint8, np.uint16) if format in DEEP else (np.uint8,)
    gray = first.bands - (first.alpha is not None) == 1
    if not (gray or first.colour == (0, 1, 2)) or first.bands > 4:
        raise UserError(
            f"{target}: {format} holds gray or RGB, but the result has {first.bands} bands; "
            "bands= picks some, and format=tif holds all."
        )
    if first.dtype.type not in kinds:
        depths = "depth=8 or depth=16" if format in DEEP else "depth=8"
        raise UserError(
            f"{target}: {format} cannot hold {first.dtype}; {depths} makes whole numbers of the "
            "range, and format=tif keeps them."
        )


def writer_for(format: str, path: Path, source: Raster, plan: Plan, quality: int) -> Writer:
    """Create the writer of a result.

    Args:
        format: a value of ``wildsr.photo.encode.FORMATS``.
        path: is overwritten.
        source: the file that was upscaled.
        plan: see :class:`wildsr.photo.raster.base.Plan`.
        quality: of lossy formats, 1 to 100.

    Raises:
        UserError: a size that the format cannot hold.
    """
    if format in ("npy", "npz"):
        return ArrayWriter(path, format, source, plan)
    if format == "dcm":
        assert isinstance(source, DicomRaster)
        return DicomWriter(path, source, plan)
    if format == "tif":
        if isinstance(source, GeoRaster):
            return GeoWriter(path, source, plan)
        return TiffWriter(path, source, plan)
    return PictureWriter(path, format, plan, quality)


class PictureWriter(Writer):
    """Writes one page as an ordinary photo: PNG, JPEG, WebP, HEIC or AVIF."""

    def __init__(self, path: Path, format: str, plan: Plan, quality: int) -> None:
        page = plan.pages[0]
        self.channels = page.bands
        self.exif: Image.Exif | None = None
        self.resolution: tuple[float, float] | None = None
        self.blobs: dict[str, bytes] = {}
        self.texts: list[bytes] = []
        self.comments: list[bytes] = []
        target = Target(format, page.width, page.height, quality, page.dtype)
        self.encoder = Encoder(path, (page.width, page.height), target, self)  # type: ignore[arg-type]

    def page(self, number: int, strips: Iterable[Values]) -> None:
        """Write the page from strips (rows, W, channels)."""
        self.encoder.take(strips)

    def close(self) -> None:
        """Complete the file.

        Raises:
            UserError: it cannot be written.
        """
        self.encoder.finish()

    def abandon(self) -> None:
        """Stop writing."""
        self.encoder.abandon()
