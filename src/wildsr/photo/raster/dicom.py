"""Read DICOM files by pydicom: stored values, frames, windows and units."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from wildsr.extra import needed
from wildsr.photo.raster.base import ROOM, Page, PageRows, Range, Raster, Values, allow_pages

DEFLATED = "1.2.840.10008.1.2.1.99"  # transfer syntax: deflated except for the beginning
_OPEN = 0xFFFFFFFF  # undefined length: ends with a delimiter
GRAYS = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
HEADER = 64 << 20  # bytes that a deflated file may have besides its pixels


def pydicom() -> Any:
    """Import pydicom.

    Raises:
        UserError: it is not installed; the message says how to install it.
    """
    return needed("pydicom", "dicom", "A DICOM file")


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress pydicom's warnings: values of many devices violate the standard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def header_of(path: Path, limit: float | None) -> Any:
    """Read the data set of a file without its pixels.

    Args:
        path: the file.
        limit: megapixels; None for any number.

    Raises:
        ValueError: a deflated file that is larger than ``limit`` allows.
    """
    package = pydicom()
    with quiet():
        meta = package.filereader.read_file_meta_info(path)
        if limit is not None and str(meta.get("TransferSyntaxUID", "")) == DEFLATED:
            _check_packed(path, int(limit * 1e6 * ROOM) + HEADER)
        return package.dcmread(path, stop_before_pixels=True)


def check_whole(path: Path) -> None:
    """Refuse a truncated file: decoders would show the part that is there.

    A file that is deflated as a whole has a checksum at its end, and is not examined.

    Raises:
        ValueError: the file ends before its pixels do.
    """
    size = path.stat().st_size
    with quiet(), path.open("rb") as file:
        header = pydicom().dcmread(file, stop_before_pixels=True)
        implicit, little = header.original_encoding
        order = "<" if little else ">"
        if str(header.file_meta.get("TransferSyntaxUID", "")) == DEFLATED:
            return
        head = file.read(8 if implicit else 12)
        if len(head) < 8:
            raise ValueError("damaged, or it ends early (its pixels are not there)")
        (length,) = struct.unpack(f"{order}L", head[-4:])
        whole = file.tell() + length <= size if length != _OPEN else _closes(file, size)
    if not whole:
        raise ValueError("damaged, or it ends early (some of its pixels are not there)")


def _closes(file: IO[bytes], size: int) -> bool:
    """Whether pixels in items end with the mark of their end (PS3.5, A.4)."""
    while len(head := file.read(8)) == 8:
        group, number, length = struct.unpack("<HHL", head)
        if (group, number) == (0xFFFE, 0xE0DD):
            return True
        if (group, number) != (0xFFFE, 0xE000) or file.tell() + length > size:
            return False
        file.seek(length, 1)
    return False


def _check_packed(path: Path, most: int) -> None:
    """Refuse a packed file that would unpack to more than ``most`` bytes."""
    with path.open("rb") as file:
        file.seek(132)
        head = file.read(12)  # (0002,0000) UL: the length of what follows it
        file.seek(144 + int.from_bytes(head[8:12], "little"))
        packed, made = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while data := file.read(1 << 16):
            while data:
                made += len(packed.decompress(data, 1 << 20))
                data = packed.unconsumed_tail
                if made > most:
                    raise ValueError(f"more than {most >> 20} MB when unpacked")


class DicomRaster(Raster):
    """A DICOM image: its frames are pages of stored values.

    YBR and palette colours become RGB; the padding value becomes nodata.

    Args:
        path: the file.
        limit: see :func:`wildsr.photo.raster.base.allow_pages`.

    Attributes:
        header: the data set, without pixels.

    Raises:
        UserError: pydicom is not installed.
        ValueError: no image, a bit depth that is not read, or the tiles of a whole-slide image.
    """

    def __init__(self, path: Path, limit: float | None) -> None:
        self.path, self.format, self.suffix = path, "dicom", "dcm"
        self.header = header = header_of(path, limit)
        if "Rows" not in header or "Columns" not in header:
            raise ValueError("it holds no image")
        if "TotalPixelMatrixColumns" in header:
            raise ValueError("its frames are tiles of a slide, which only together are an image")
        self._packed = str(header.file_meta.get("TransferSyntaxUID", "")) == DEFLATED
        self.photometric = str(header.get("PhotometricInterpretation", "MONOCHROME2"))
        gray = self.photometric in GRAYS
        dtype, bits, signed = _type(header)
        if self.photometric == PALETTE:
            entries = header.RedPaletteColorLookupTableDescriptor[2]
            dtype = np.dtype(np.uint16 if entries > 8 else np.uint8)
        bands = 1 if gray else 3
        colour = () if gray else (0, 1, 2)
        page = Page(int(header.Rows), int(header.Columns), bands, dtype, colour)
        self.pages = [page] * max(int(header.get("NumberOfFrames", 1) or 1), 1)
        self.stored, self.real = dtype, False
        self._stored_padding: float | None = None
        if dtype.kind in "iu" and self.photometric != PALETTE:
            low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
            self.stated = float(low), float(high)
        padding = header.get("PixelPaddingValue")
        if gray and isinstance(padding, int) and "FloatPixelData" not in header:
            self.nodata = (float(padding),)
        self.inverted = self.photometric == "MONOCHROME1"
        allow_pages(path, self.pages, limit)

    def rows(self, page: int) -> PageRows:
        """Read the values of a frame.

        Raises:
            ValueError: the file is truncated, or the frame has another size than the header says.
        """
        if page == 0 or len(self.pages) == 1:
            check_whole(self.path)
        with quiet():
            package = pydicom()
            # A deflated file must be inflated as a whole to find a frame.
            whole = package.dcmread(self.path) if self._packed else self.path
            values = package.pixels.pixel_array(whole, index=page)
            if self.photometric == PALETTE:
                values = pydicom().pixels.apply_color_lut(values, self.header)[..., :3]
        kind = self.pages[page]
        values = values.reshape(*values.shape[:2], -1)
        if values.shape != (kind.height, kind.width, kind.bands):
            raise ValueError(f"frame {page + 1} is not of the size that the header says")
        if self.real:
            slope, intercept = self.rescale(page)
            missing = self._padding(values)
            values = values.astype(np.float64) * slope + intercept
            values[missing] = np.nan
        return PageRows(np.ascontiguousarray(values, kind.dtype))

    def _padding(self, values: Values) -> Values:
        value = self._stored_padding
        return np.zeros(values.shape, bool) if value is None else values == value

    def in_units(self) -> None:
        """Give physical values (Hounsfield units, say) as floats; padding becomes NaN."""
        slope, intercept = self.rescale(0)
        self._stored_padding = self.nodata[0] if self.nodata else None
        if self.real or not self.rescaled:
            return
        self.real, self.nodata = True, ()
        self.pages = [replace(page, dtype=np.dtype(np.float32)) for page in self.pages]
        if self.stated is not None:
            low, high = (value * slope + intercept for value in self.stated)
            self.stated = min(low, high), max(low, high)

    @property
    def rescaled(self) -> bool:  # type: ignore[override]
        """Whether physical values are a linear function of the stored ones."""
        gray = not self.pages[0].colour
        return gray and any(self.rescale(n) != (1, 0) for n in range(len(self.pages)))

    def stored_range(self, span: Range) -> Range:
        """Convert a range of physical values to the values that :meth:`rows` gives."""
        slope, intercept = self.rescale(0)
        if self.real or not self.rescaled:
            return span
        low, high = sorted((value - intercept) / slope for value in span)
        return low, high

    def rescale(self, page: int) -> tuple[float, float]:
        """(slope, intercept) from stored to physical values (PS3.3, C.11.1)."""
        said = self._of_frame(page, "PixelValueTransformationSequence") or self.header
        return float(said.get("RescaleSlope", 1) or 1), float(said.get("RescaleIntercept", 0) or 0)

    def shown(self, page: int) -> Range | None:
        """The first display window, in the values that :meth:`rows` gives (PS3.3, C.11.2.1.2)."""
        said = self._of_frame(page, "FrameVOILUTSequence") or self.header
        centre, width = (_first(said.get(name)) for name in ("WindowCenter", "WindowWidth"))
        if centre is None or width is None or width < 1:
            return None
        if str(said.get("VOILUTFunction", "LINEAR")) == "LINEAR":
            centre, width = centre - 0.5, width - 1
        low, high = centre - width / 2, centre + width / 2
        if not self.real:
            slope, intercept = self.rescale(page)
            low, high = sorted(((low - intercept) / slope, (high - intercept) / slope))
        return (low, high) if low < high else None

    def _of_frame(self, page: int, name: str) -> Any:
        """An item of a frame's functional groups, or of those that all frames share."""
        frames = self.header.get("PerFrameFunctionalGroupsSequence") or []
        shared = self.header.get("SharedFunctionalGroupsSequence") or []
        for group in [*frames[page : page + 1], *shared[:1]]:
            if found := group.get(name):
                return found[0]
        return None


def _type(header: Any) -> tuple[np.dtype[Any], int, bool]:
    """The type of stored values, the bits of them that are used, whether they have a sign."""
    allocated = int(header.get("BitsAllocated", 16))
    bits = int(header.get("BitsStored", allocated))
    signed = bool(header.get("PixelRepresentation", 0))
    if allocated not in (8, 16, 32, 64) or not 1 <= bits <= allocated:
        raise ValueError(f"pixels of {bits} in {allocated} bits are not read")
    whole = "BitsStored" in header
    kind = ("i" if signed else "u") if whole else "f"
    return np.dtype(f"{kind}{allocated // 8}"), bits, signed


def _first(value: Any) -> float | None:
    try:
        return float(value[0] if hasattr(value, "__getitem__") and len(value) else value)
    except (TypeError, ValueError):
        return None
