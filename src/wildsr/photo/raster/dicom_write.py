"""Write upscaled DICOM images: new instances of a new series, with corrected geometry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wildsr.photo.folder import say_once
from wildsr.photo.raster.base import Plan, Values, Writer
from wildsr.photo.raster.dicom import PALETTE, DicomRaster, header_of, pydicom, quiet
from wildsr.photo.raster.dicom_identity import other_uid, without_identity

# (down, across): mm between pixels, in every module that has one.
SPACINGS = (
    *("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"),
    "PresentationPixelSpacing",
)
# In pixels, across and down: ultrasound regions, shutters.
_ACROSS = (
    *("RegionLocationMinX0", "RegionLocationMaxX1", "ReferencePixelX0"),
    *("ShutterLeftVerticalEdge", "ShutterRightVerticalEdge"),
)
_DOWN = (
    *("RegionLocationMinY0", "RegionLocationMaxY1", "ReferencePixelY0"),
    *("ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge"),
)
_STALE = (
    *("SmallestImagePixelValue", "LargestImagePixelValue", "SmallestPixelValueInSeries"),
    *("LargestPixelValueInSeries", "IconImageSequence", "DigitalSignaturesSequence"),
    *("MACParametersSequence", "DataSetTrailingPadding", "CenterOfCircularShutter"),
    *("RadiusOfCircularShutter", "VerticesOfThePolygonalShutter", "ExtendedOffsetTable"),
    *("ExtendedOffsetTableLengths", "EncapsulatedPixelDataValueTotalLength"),
)
_OVERLAYS = range(0x6000, 0x6100, 2)  # groups of pictures laid over the pixels, of their size


class DicomWriter(Writer):
    """Writes a DICOM file: explicit VR, little endian, not compressed.

    Stored values keep their meaning: rescale, window and padding are kept. Spacing, position, sizes
    in pixels, image type and UIDs are corrected; overlays, icons and signatures are removed. Data
    that identifies the patient is removed unless ``plan.identity``.

    Args:
        path: is overwritten.
        source: the file that was upscaled.
        plan: of pages of the source's type.
    """

    def __init__(self, path: Path, source: DicomRaster, plan: Plan) -> None:
        self.path, self.source, self.plan = path, source, plan
        self.frames: list[Values] = []

    def page(self, number: int, strips: Iterable[Values]) -> None:
        """Keep a frame in memory, (rows, W, bands) strips from top to bottom."""
        self.frames.append(np.concatenate(list(strips)))

    def abandon(self) -> None:
        """Discard the frames."""
        self.frames.clear()

    def close(self) -> None:
        """Write all frames."""
        with quiet():
            header = header_of(self.source.path, None)
            across, down = self.plan.factors(0, self.source)
            if not header.original_encoding[1]:
                _swap(header)
            for name in _STALE:
                header.pop(name, None)
            for group in _OVERLAYS:
                for element in list(header.group_dataset(group)):
                    del header[element.tag]
            self._pick_frames(header)
            _move(header, across, down)
            _scale(header, across, down)
            self._describe(header)
            self._name(header, across)
            self._put(header)
            options = {"implicit_vr": False, "little_endian": True, "force_encoding": True}
            package = pydicom()
            package.dcmwrite(self.path, header, **options)

    def _pick_frames(self, header: Any) -> None:
        offsets = header.get("GridFrameOffsetVector")
        if offsets is not None and len(_listed(offsets)) != len(self.source.pages):
            del header.GridFrameOffsetVector  # of other frames: readers stumble over it
            header.pop("FrameIncrementPointer", None)
        if len(self.frames) == len(self.source.pages):
            return
        header.NumberOfFrames = len(self.frames)
        if groups := header.get("PerFrameFunctionalGroupsSequence"):
            header.PerFrameFunctionalGroupsSequence = [groups[n] for n in self.plan.of]
        for name in ("FrameTimeVector", "FrameIncrementPointer"):
            header.pop(name, None)
        _place_frame(header, self.plan.of[0])
        for element in list(header):  # with a value for each frame: its detector, its phase
            if element.keyword.endswith("Vector") and len(self.source.pages) == element.VM:
                element.value = [_listed(element.value)[n] for n in self.plan.of]

    def _describe(self, header: Any) -> None:
        page = self.plan.pages[0]
        header.Rows, header.Columns = page.height, page.width
        if page.bands > 1:
            header.SamplesPerPixel, header.PlanarConfiguration = page.bands, 0
            if header.PhotometricInterpretation == PALETTE:
                for element in [e for e in header if "PaletteColorLookupTable" in e.keyword]:
                    del header[element.tag]
                bits = page.dtype.itemsize * 8
                header.BitsAllocated, header.BitsStored, header.HighBit = bits, bits, bits - 1
                header.PixelRepresentation = 0
            header.PhotometricInterpretation = "RGB"
        elif page.bands != len(self.source.pages[0].colour or (0,)):
            header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
            header.pop("PlanarConfiguration", None)

    def _name(self, header: Any, across: float) -> None:
        """New UIDs, and what the file was made of."""
        package = pydicom()
        kinds = list(header.get("ImageType") or [])[2:]
        header.ImageType = ["DERIVED", "SECONDARY", *kinds]
        header.DerivationDescription = f"Enlarged {across:.4g} times by super-resolution (wildsr)"
        given, kind = header.get("SOPInstanceUID"), header.get("SOPClassUID")
        if str(header.get("BurnedInAnnotation", "")) == "YES":
            say_once(f"{self.source.path}: its pixels show text of the patient, which is kept")
        if self.plan.identity:
            item = package.Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = kind, given
            header.SourceImageSequence = [item]
        else:
            without_identity(header)
            header.preamble = b"\0" * 128  # which may say anything
        header.SeriesInstanceUID = other_uid(header.get("SeriesInstanceUID"), f"x{across:.4g}")
        header.SOPInstanceUID = package.uid.generate_uid()
        meta = package.dataset.FileMetaDataset()
        meta.MediaStorageSOPClassUID = kind
        meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
        meta.TransferSyntaxUID = package.uid.ExplicitVRLittleEndian
        header.file_meta = meta

    def _put(self, header: Any) -> None:
        values = np.stack(self.frames) if len(self.frames) > 1 else self.frames[0]
        little = values.astype(values.dtype.newbyteorder("<"), copy=False)
        data = np.ascontiguousarray(little).tobytes()
        data += b"\0" * (len(data) % 2)
        if values.dtype.kind == "f":
            name = "FloatPixelData" if values.dtype.itemsize == 4 else "DoubleFloatPixelData"
            setattr(header, name, data)
            return
        header.PixelData = data
        header["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"


def _place_frame(header: Any, number: int) -> None:
    """Move the place of a radiotherapy dose to one of its frames (PS3.3, C.8.8.3.2)."""
    offsets = header.pop("GridFrameOffsetVector", None)
    place, turn = (
        _listed(header.get(name)) for name in ("ImagePositionPatient", "ImageOrientationPatient")
    )
    if offsets is None or (len(place), len(turn)) != (3, 6):
        return
    normal = np.cross(*np.array(turn, np.float64).reshape(2, 3))
    moved = normal * (float(offsets.value[number]) - float(offsets.value[0]))
    header.ImagePositionPatient = [_decimal(value) for value in np.add(place, moved, dtype=float)]


def _swap(data: Any) -> None:
    """Swap the bytes of 16-bit words, which pydicom does not do for big-endian files."""
    for element in data:
        if element.VR == "SQ":
            for item in element.value:
                _swap(item)
        elif element.VR == "OW" and isinstance(element.value, bytes):
            element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()


def _scale(data: Any, across: float, down: float) -> None:
    """Correct all lengths in pixels, and the sizes of pixels, in a data set and its items."""
    for name in SPACINGS:
        if len(value := _listed(data.get(name))) == 2:
            setattr(data, name, [_decimal(value[0] / down), _decimal(value[1] / across)])
    for names, factor in ((_ACROSS, across), (_DOWN, down)):
        for name in names:
            if (value := data.get(name)) is not None:
                setattr(data, name, round(value * factor))
    for name, factor in (("PhysicalDeltaX", across), ("PhysicalDeltaY", down)):
        if (value := data.get(name)) is not None:
            setattr(data, name, value / factor)
    for element in data:
        if element.VR == "SQ":
            for item in element.value:
                _scale(item, across, down)


def _move(header: Any, across: float, down: float) -> None:
    """Correct the place of the first pixel's centre: smaller pixels' centres lie further out.

    PS3.3, C.7.6.2.1.1; in enhanced images it is in functional groups of frames.
    """
    shared = (header.get("SharedFunctionalGroupsSequence") or [None])[0]
    frames = list(header.get("PerFrameFunctionalGroupsSequence") or [])
    _move_one(header, header, header, across, down)

    def inner(groups: list[Any], name: str) -> Any:
        for group in groups:
            if group is not None and (found := group.get(name)):
                return found[0]
        return None

    for frame in [shared, *frames]:
        if frame is None or not (place := frame.get("PlanePositionSequence")):
            continue
        turn = inner([frame, shared], "PlaneOrientationSequence")
        measures = inner([frame, shared], "PixelMeasuresSequence")
        _move_one(place[0], turn, measures, across, down)


def _move_one(place: Any, turn: Any, measures: Any, across: float, down: float) -> None:
    said = [
        _listed(None if data is None else data.get(name))
        for data, name in (
            (place, "ImagePositionPatient"),
            (turn, "ImageOrientationPatient"),
            (measures, "PixelSpacing"),
        )
    ]
    if any(len(value) != n for value, n in zip(said, (3, 6, 2), strict=True)):
        return
    position, cosines, spacing = (np.array(value, np.float64) for value in said)
    position += cosines[:3] * spacing[1] * (1 / across - 1) / 2
    position += cosines[3:] * spacing[0] * (1 / down - 1) / 2
    place.ImagePositionPatient = [_decimal(value) for value in position]


def _listed(value: Any) -> Sequence[Any]:
    """An element's values, also of one that has a single value, or none."""
    if value is None:
        return ()
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def _decimal(value: float) -> str:
    """A number in the 16 characters that DICOM has for one (PS3.5, DS)."""
    return str(pydicom().valuerep.DSfloat(float(value), auto_format=True))
