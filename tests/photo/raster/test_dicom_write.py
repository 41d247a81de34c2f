"""What upscaled DICOM files say of their pixels, read by pydicom."""

from pathlib import Path

import numpy as np
import pytest
from support.dicom import MR, palette, saved

from wildsr.inference.file import Settings, upscale_file

pydicom = pytest.importorskip("pydicom")
FILES = Path(pydicom.__file__).parent / "data" / "test_files"  # which come with the package


def twice(pixels, axes=(0, 1)):
    return pixels.repeat(2, axis=axes[0]).repeat(2, axis=axes[1])


def item(**values):
    made = pydicom.Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def upscaled(nearest, source, tmp_path, **settings):
    made = upscale_file(nearest(2), source, tmp_path / "made.dcm", Settings(**settings))
    return pydicom.dcmread(made)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("frames", [1, 3])
def test_palettes_become_rgb(deep, frames, nearest, tmp_path):
    path, expected = palette(tmp_path / "a.dcm", deep, frames)
    made = upscaled(nearest, path, tmp_path, identity=True)
    assert (made.PhotometricInterpretation, made.SamplesPerPixel) == ("RGB", 3)
    assert made.BitsStored == made.BitsAllocated == made.HighBit + 1 == (16 if deep else 8)
    assert not [e for e in made if "Palette" in e.keyword]
    assert np.array_equal(made.pixel_array, twice(expected, (1, 2)).squeeze())


def test_the_preamble_goes_with_the_identity(nearest, tmp_path):
    """128 bytes in front, which scanners have been seen to fill."""
    path, _ = palette(tmp_path / "a.dcm")
    path.write_bytes(b"DOE^JANE 1961-02-03".ljust(128, b" ") + path.read_bytes()[128:])
    for identity in (True, False):
        upscaled(nearest, path, tmp_path, identity=identity)
        said = (tmp_path / "made.dcm").read_bytes()[:128]
        assert (said == b"\0" * 128) == (not identity)
        assert (b"DOE" in said) == identity


def test_one_band_of_colours_is_gray(nearest, tmp_path):
    path, expected = palette(tmp_path / "a.dcm")
    rgb = upscale_file(nearest(2), path, tmp_path / "rgb.dcm")
    made = upscaled(nearest, rgb, tmp_path, bands=[2])
    assert (made.PhotometricInterpretation, made.SamplesPerPixel) == ("MONOCHROME2", 1)
    assert "PlanarConfiguration" not in made
    assert np.array_equal(made.pixel_array, twice(twice(expected[0, ..., 1])))


def test_floats_stay_floats(nearest, tmp_path):
    values = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    gone = dict.fromkeys(("PixelData", "BitsStored", "HighBit", "PixelRepresentation"))
    path = saved(tmp_path, MR, **gone, FloatPixelData=values.tobytes(), BitsAllocated=32)
    made = upscaled(nearest, path, tmp_path)
    assert "PixelData" not in made
    found = np.frombuffer(made.FloatPixelData, "<f4").reshape(128, 128)
    assert np.allclose(found, twice(values), atol=1e-5)


def test_a_frame_of_a_dose_stays_where_it_is(nearest, tmp_path):
    """Its place is that of the first frame, and offsets; its unit is in an element of its own."""
    source = pydicom.dcmread(FILES / "rtdose.dcm")
    made = upscaled(nearest, FILES / "rtdose.dcm", tmp_path, page=3)
    assert made.NumberOfFrames == 1
    moved = np.subtract(made.ImagePositionPatient, source.ImagePositionPatient)
    spacing = [float(side) for side in source.PixelSpacing]
    assert moved == pytest.approx([-spacing[1] / 4, -spacing[0] / 4, 10])
    assert "GridFrameOffsetVector" not in made  # which is of several frames
    assert made.DoseGridScaling == source.DoseGridScaling
    assert made.DoseUnits == source.DoseUnits
    whole = upscaled(nearest, FILES / "rtdose.dcm", tmp_path)
    assert whole.GridFrameOffsetVector == source.GridFrameOffsetVector
    assert whole.ImagePositionPatient[2] == source.ImagePositionPatient[2]


def test_offsets_may_be_coordinates(nearest, tmp_path):
    source = pydicom.dcmread(FILES / "rtdose.dcm")
    z = float(source.ImagePositionPatient[2])
    source.GridFrameOffsetVector = [z + float(n) for n in source.GridFrameOffsetVector]
    source.save_as(tmp_path / "a.dcm")
    made = upscaled(nearest, tmp_path / "a.dcm", tmp_path, page=3)
    assert made.ImagePositionPatient[2] == pytest.approx(z + 10)


def test_what_is_said_of_each_frame_goes_with_it(nearest, tmp_path):
    """Groups of an enhanced image, and vectors such as a gamma camera's."""
    data = pydicom.dcmread(MR)
    data.NumberOfFrames = 3
    data.PixelData = data.PixelData * 3
    data.PerFrameFunctionalGroupsSequence = [
        item(FrameContentSequence=[item(StackID=str(n))]) for n in range(3)
    ]
    data.DetectorVector, data.FrameTimeVector = [4, 5, 6], [0, 1, 2]
    data.save_as(tmp_path / "a.dcm")
    made = upscaled(nearest, tmp_path / "a.dcm", tmp_path, page=2, identity=True)
    (group,) = made.PerFrameFunctionalGroupsSequence
    assert group.FrameContentSequence[0].StackID == "1"
    assert made.DetectorVector == 5
    assert "FrameTimeVector" not in made


def test_lengths_in_pixels_follow_and_what_is_drawn_over_them_goes(nearest, tmp_path):
    region = item(
        RegionLocationMinX0=3,
        RegionLocationMinY0=5,
        RegionLocationMaxX1=60,
        RegionLocationMaxY1=50,
        PhysicalDeltaX=0.5,
        PhysicalDeltaY=0.25,
    )
    data = pydicom.dcmread(MR)
    data.SequenceOfUltrasoundRegions = [region]
    data.ShutterLeftVerticalEdge, data.ShutterLowerHorizontalEdge = 2, 30
    data.add_new(0x60000010, "US", 64)
    data.add_new(0x60003000, "OW", bytes(512))
    data.save_as(tmp_path / "a.dcm")
    made = upscaled(nearest, tmp_path / "a.dcm", tmp_path, identity=True)
    found = made.SequenceOfUltrasoundRegions[0]
    assert (found.RegionLocationMinX0, found.RegionLocationMinY0) == (6, 10)
    assert (found.RegionLocationMaxX1, found.RegionLocationMaxY1) == (120, 100)
    assert (found.PhysicalDeltaX, found.PhysicalDeltaY) == (0.25, 0.125)
    assert (made.ShutterLeftVerticalEdge, made.ShutterLowerHorizontalEdge) == (4, 60)
    assert not [element for element in made if element.tag.group == 0x6000]


def test_words_of_big_endian_files_are_turned_round(nearest, tmp_path):
    """pydicom leaves those of elements that it does not know the meaning of."""
    data = pydicom.dcmread(FILES / "MR_small_bigendian.dcm")
    icc = np.arange(4, dtype=">u2").tobytes()
    data.add_new(0x00281201, "OW", icc)
    data.RelatedSeriesSequence = [item()]
    data.RelatedSeriesSequence[0].add_new(0x00281202, "OW", icc)
    data.save_as(tmp_path / "a.dcm")
    made = upscaled(nearest, tmp_path / "a.dcm", tmp_path, identity=True)
    little = np.arange(4, dtype="<u2").tobytes()
    assert made[0x00281201].value == little
    assert made.RelatedSeriesSequence[0][0x00281202].value == little
    assert np.array_equal(made.pixel_array, twice(data.pixel_array))


def test_a_spacing_of_one_number_does_not_cost_the_image(nearest, tmp_path):
    """It must be two; what it was meant to be is left as it is."""
    path = saved(tmp_path, MR, PixelSpacing=0.5, ImagePositionPatient=7)
    made = upscaled(nearest, path, tmp_path)
    assert made.Rows == 128
    assert made.PixelSpacing == 0.5


def test_a_frame_without_an_orientation_stays_where_it_is(nearest, tmp_path):
    path = saved(tmp_path, MR, ImageOrientationPatient=None)
    data = pydicom.dcmread(path)
    place = item(PlanePositionSequence=[item(ImagePositionPatient=[1, 2, 3])])
    data.PerFrameFunctionalGroupsSequence = [place, item()]
    data.NumberOfFrames, data.PixelData = 2, data.PixelData * 2
    data.save_as(path)
    made = upscaled(nearest, path, tmp_path)
    found = made.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    assert found.ImagePositionPatient == [1, 2, 3]
