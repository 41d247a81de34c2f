"""DICOM files as devices write them, changed by pydicom and compared with its own decoders."""

import numpy as np
import pytest
from support.dicom import CT, FILES, MR, palette, saved

from wildsr.photo.raster.dicom import DicomRaster
from wildsr.photo.unreadable import UnreadableImage, readable

pydicom = pytest.importorskip("pydicom")


def opened(path):
    with readable(path):
        raster = DicomRaster(path, 200.0)
        return raster, raster.rows(0).read(raster.pages[0].height)


@pytest.mark.parametrize("deep", [False, True])
def test_palettes_become_rgb(deep, tmp_path):
    path, expected = palette(tmp_path / "a.dcm", deep)
    raster, found = opened(path)
    assert raster.pages[0].colour == (0, 1, 2)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected[0])


def test_floats_are_read(tmp_path):
    values = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    gone = dict.fromkeys(("PixelData", "BitsStored", "HighBit", "PixelRepresentation"))
    path = saved(tmp_path, MR, **gone, FloatPixelData=values.tobytes(), BitsAllocated=32)
    raster, found = opened(path)
    assert raster.stated is None
    assert np.array_equal(found[..., 0], values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"TotalPixelMatrixColumns": 9000}, "tiles of a slide, which only together are an image"),
        ({"BitsAllocated": 12}, "pixels of 16 in 12 bits are not read"),
        ({"BitsStored": 17}, "pixels of 17 in 16 bits are not read"),
        ({"PixelData": None}, "its pixels are not there"),
    ],
)
def test_what_is_not_read_says_so(values, reason, tmp_path):
    path = saved(tmp_path, **values)
    with pytest.raises(UnreadableImage, match=reason):
        opened(path)


def test_a_file_that_was_exchanged_is_noticed(tmp_path):
    raster = DicomRaster(saved(tmp_path, CT), 200.0)
    saved(tmp_path, MR)
    with pytest.raises(ValueError, match="frame 1 is not of the size that the header says"):
        raster.rows(0)


def test_an_exact_window_is_taken_as_it_is(tmp_path):
    """PS3.3, C.11.2.1.3: only a linear one is half a level off."""
    values = {"WindowCenter": 40, "WindowWidth": 400}
    assert DicomRaster(saved(tmp_path, **values), None).shown(0) == (864, 1263)
    exact = saved(tmp_path, **values, VOILUTFunction="LINEAR_EXACT")
    assert DicomRaster(exact, None).shown(0) == (864, 1264)
    assert DicomRaster(saved(tmp_path, **{**values, "WindowWidth": 0}), None).shown(0) is None


def test_packed_pixels_without_their_end_are_missed(tmp_path):
    whole = (FILES / "MR_small_RLE.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(whole[: whole.rindex(b"\xfe\xff\xdd\xe0")])
    with pytest.raises(UnreadableImage, match="some of its pixels are not there"):
        opened(tmp_path / "a.dcm")
