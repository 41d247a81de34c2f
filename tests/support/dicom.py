"""DICOM files of pydicom's own, changed."""

from pathlib import Path

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
FILES = Path(pydicom.__file__).parent / "data" / "test_files"  # which come with the package
CT, MR = FILES / "CT_small.dcm", FILES / "MR_small.dcm"


def saved(tmp_path, source=CT, **values):
    data = pydicom.dcmread(source)
    for name, value in values.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data.save_as(tmp_path / "a.dcm")
    return tmp_path / "a.dcm"


def palette(path, deep=True, frames=1):
    """A picture of four colours by a palette; its stored numbers; its colours."""
    data = pydicom.dcmread(MR)
    stored = (np.indices((8, 9)).sum(0) % 4).astype(np.uint8)
    kind, top = (np.uint16, 65535) if deep else (np.uint8, 255)
    table = np.array([[0, 1, 2, 3], [3, 0, 1, 2], [1, 3, 3, 0]]) * (top // 3)
    data.PhotometricInterpretation, data.SamplesPerPixel = "PALETTE COLOR", 1
    data.Rows, data.Columns, data.NumberOfFrames = 8, 9, frames
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    for place, row in enumerate(table):
        data.add_new(0x00281101 + place, "US", [4, 0, 16 if deep else 8])
        data.add_new(0x00281201 + place, "OW", row.astype(kind).tobytes())
    pixels = np.stack([(stored + n) % 4 for n in range(frames)])
    data.PixelData = pixels.astype(np.uint8).tobytes() + b"\0" * (pixels.size % 2)
    data.save_as(path)
    return path, table.T[pixels].astype(kind)
