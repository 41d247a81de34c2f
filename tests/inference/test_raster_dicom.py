"""DICOM files through an upscaler: what they keep and lose, read by GDCM and by hand."""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from torch import nn

from wildsr.error import UserError
from wildsr.inference.file import Settings, upscale_file
from wildsr.inference.job import carry_out
from wildsr.inference.tasks import tasks
from wildsr.inference.upscaler import Upscaler
from wildsr.photo import folder as listing
from wildsr.photo.image import read_image
from wildsr.photo.raster import dicom
from wildsr.photo.sensor import Sensor
from wildsr.photo.unreadable import TooLarge, UnreadableImage

pydicom = pytest.importorskip("pydicom")
gdcm = pytest.importorskip("gdcm")
FILES = Path(pydicom.__file__).parent / "data" / "test_files"  # which come with the package
CT = FILES / "CT_small.dcm"


def grown(pixels, factor=2, axes=(0, 1)):
    return pixels.repeat(factor, axis=axes[0]).repeat(factor, axis=axes[1])


def by_gdcm(path):
    """(pixels, spacing, origin, slope, intercept) by another library."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    image = reader.GetImage()
    data = image.GetBuffer().encode("utf-8", errors="surrogateescape")
    stored = image.GetPixelFormat()
    kind = ("i" if stored.GetPixelRepresentation() else "u") + str(stored.GetBitsAllocated() // 8)
    shape = [image.GetDimension(n) for n in range(image.GetNumberOfDimensions())][::-1]
    shape += [3] * (stored.GetSamplesPerPixel() == 3)
    pixels = np.frombuffer(data, kind).reshape(shape)
    spacing = [image.GetSpacing(n) for n in range(2)]
    origin = [image.GetOrigin(n) for n in range(3)]
    return pixels, spacing, origin, image.GetSlope(), image.GetIntercept()


def elements(data):
    """{tag: value} of a file of explicit VR, little endian, by hand (PS3.5, 7.1.2)."""
    found, place = {}, 132
    while place < len(data):
        group, number, kind = struct.unpack_from("<HH2s", data, place)
        if kind in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD", b"UC"):
            (length,) = struct.unpack_from("<L", data, place + 8)
            place += 12
        else:
            (length,) = struct.unpack_from("<H", data, place + 6)
            place += 8
        assert length != 0xFFFFFFFF
        found[group, number] = data[place : place + length]
        place += length
    return found


def test_a_slice_keeps_its_numbers_and_its_place(nearest, tmp_path):
    made = upscale_file(nearest(2), CT, tmp_path / "made.dcm")
    before, after = by_gdcm(CT), by_gdcm(made)
    assert np.array_equal(after[0], grown(before[0]))
    assert after[1] == pytest.approx([side / 2 for side in before[1]])
    assert after[3:] == before[3:] == (1, -1024)
    # The first pixel's centre lies a quarter of an old pixel further out, across and down.
    moved = np.subtract(after[2], before[2])
    assert moved == pytest.approx([-before[1][0] / 4, -before[1][1] / 4, 0])
    plain = elements(made.read_bytes())
    assert plain[0x0028, 0x0010] == plain[0x0028, 0x0011] == struct.pack("<H", 256)
    assert np.array_equal(np.frombuffer(plain[0x7FE0, 0x0010], "<i2").reshape(256, 256), after[0])


def test_another_size(nearest, tmp_path):
    made = upscale_file(nearest(2), CT, tmp_path / "made.dcm", Settings(outscale=1.5))
    pixels, spacing, *_ = by_gdcm(made)
    assert pixels.shape == (192, 192)
    assert spacing == pytest.approx([0.661468 / 1.5] * 2)


def test_who_it_was_is_removed(nearest, tmp_path):
    source = pydicom.dcmread(CT)
    source.PatientName, source.PatientID = "Doe^Jane", "SECRET-17"
    source.InstitutionName, source.StudyDescription = "SECRET clinic", "SECRET study"
    source.AcquisitionDate, source.PatientComments = "20200102", "SECRET"
    source.RequestAttributesSequence = [pydicom.Dataset()]
    source.RequestAttributesSequence[0].ScheduledProcedureStepDescription = "SECRET step"
    source.add_new(0x00091002, "LO", "SECRET private")
    source.save_as(tmp_path / "a.dcm")
    data = upscale_file(nearest(2), tmp_path / "a.dcm", tmp_path / "b.dcm").read_bytes()
    uids = [source.SOPInstanceUID, source.StudyInstanceUID, source.SeriesInstanceUID]
    for text in ("SECRET", "Doe", "20200102", "19970424", *uids, source.FrameOfReferenceUID):
        assert str(text).encode() not in data
    plain = elements(data)
    assert plain[0x0012, 0x0062].strip() == b"YES"
    assert plain[0x0010, 0x0010] == b""  # there, as every image must have it
    assert all(group % 2 == 0 for group, _ in plain)
    assert plain[0x0018, 0x0060].strip() == b"120"  # how it was taken is kept


def test_who_it_was_is_kept_when_asked(nearest, tmp_path):
    given = pydicom.dcmread(CT)
    keep = Settings(identity=True)
    found = [
        elements(upscale_file(nearest(2), CT, tmp_path / f"{n}.dcm", keep).read_bytes())
        for n in range(2)
    ]
    assert found[0][0x0010, 0x0010].strip().decode() == str(given.PatientName)
    assert found[0][0x0020, 0x000D].rstrip(b"\0").decode() == given.StudyInstanceUID
    new = [one[0x0008, 0x0018] for one in found]
    assert new[0] != new[1]
    assert given.SOPInstanceUID.encode() not in new
    assert found[0][0x0020, 0x000E] == found[1][0x0020, 0x000E]  # one series, and a new one
    assert given.SeriesInstanceUID.encode() not in found[0][0x0020, 0x000E]
    assert found[0][0x0008, 0x0008].startswith(b"DERIVED\\SECONDARY")
    assert found[0][0x0002, 0x0003] == new[0]


@pytest.mark.parametrize(
    "name",
    [
        *("MR_small_RLE", "MR_small_jpeg_ls_lossless", "MR_small_bigendian", "MR_small_implicit"),
        *("JPEG2000", "rtdose_1frame", "SC_rgb_rle_16bit", "SC_rgb_jpeg_dcmtk", "image_dfl"),
    ],
)
def test_transfer_syntaxes(name, nearest, tmp_path):
    source = FILES / f"{name}.dcm"
    made = upscale_file(nearest(2), source, tmp_path / "made.dcm")
    expected = pydicom.pixels.pixel_array(pydicom.dcmread(source))
    assert np.array_equal(by_gdcm(made)[0], grown(expected))


def test_frames_are_all_upscaled(nearest, tmp_path):
    source = FILES / "rtdose.dcm"
    made = upscale_file(nearest(2), source, tmp_path / "made.dcm")
    expected = pydicom.pixels.pixel_array(source)
    assert np.array_equal(by_gdcm(made)[0], grown(expected, axes=(1, 2)))
    one = upscale_file(nearest(2), source, tmp_path / "one.dcm", Settings(page=3))
    assert np.array_equal(by_gdcm(one)[0].reshape(20, 20), grown(expected[2]))


def enhanced(path):
    """An enhanced MR of two frames, whose geometry is in functional groups."""
    data = pydicom.dcmread(FILES / "MR_small.dcm")
    pixels = data.pixel_array
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(data, name)

    def item(**values):
        made = pydicom.Dataset()
        for name, value in values.items():
            setattr(made, name, value)
        return made

    measures = item(PixelSpacing=[2, 1])
    turn = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    data.SharedFunctionalGroupsSequence = [
        item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[turn])
    ]
    data.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[10, 20, 5 * n])],
            PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=n)],
        )
        for n in range(2)
    ]
    data.NumberOfFrames, data.PixelData = 2, np.stack([pixels, pixels // 2]).tobytes()
    data.save_as(path)
    return np.stack([pixels, pixels // 2])


def test_geometry_of_enhanced_images(nearest, tmp_path):
    pixels = enhanced(tmp_path / "a.dcm")
    made = pydicom.dcmread(upscale_file(nearest(2), tmp_path / "a.dcm", tmp_path / "b.dcm"))
    shared = made.SharedFunctionalGroupsSequence[0]
    assert shared.PixelMeasuresSequence[0].PixelSpacing == [1, 0.5]
    places = [
        frame.PlanePositionSequence[0].ImagePositionPatient
        for frame in made.PerFrameFunctionalGroupsSequence
    ]
    assert places == [[9.75, 19.5, 0], [9.75, 19.5, 5]]
    assert made.PatientName == ""
    made = upscale_file(nearest(2), tmp_path / "a.dcm", tmp_path / "b.npy")
    slopes = pixels * 2.0 + np.arange(2)[:, None, None]
    assert np.allclose(np.load(made), grown(slopes, axes=(1, 2)), atol=2e-3)


def test_other_formats_hold_what_the_numbers_stand_for(nearest, tmp_path):
    stored = pydicom.dcmread(CT).pixel_array
    found = tifffile.imread(upscale_file(nearest(2), CT, tmp_path / "made.tif"))
    assert found.dtype == np.float32
    assert np.abs(found - grown(stored - 1024.0)).max() < 0.01  # Hounsfield units
    plain = FILES / "JPEGLSNearLossless_16.dcm"  # without a rescale
    assert np.load(upscale_file(nearest(2), plain, tmp_path / "made.npy")).dtype == np.uint16


def test_windows(nearest, tmp_path):
    source = pydicom.dcmread(CT)
    source.WindowCenter, source.WindowWidth = [40, 300], [400, 1500]
    source.save_as(tmp_path / "a.dcm")
    window = Settings(range="window", depth=8)
    made = upscale_file(nearest(2), tmp_path / "a.dcm", tmp_path / "a.png", window)
    units = grown(source.pixel_array - 1024.0)
    expected = ((units - (39.5 - 199.5)) / 399).clip(0, 1) * 255
    assert np.abs(np.asarray(Image.open(made)) - expected).max() <= 1.5
    shown = read_image(tmp_path / "a.dcm")[..., 0]
    assert np.abs(grown(shown) - expected).max() <= 1.5
    source.PhotometricInterpretation = "MONOCHROME1"
    source.save_as(tmp_path / "a.dcm")
    assert np.abs(255.0 - read_image(tmp_path / "a.dcm")[..., 0] - shown).max() <= 1
    same = by_gdcm(
        upscale_file(nearest(2), tmp_path / "a.dcm", tmp_path / "b.dcm", Settings(range="window"))
    )
    outside = grown(source.pixel_array).astype(int)
    assert (same[0].max() > 1800) == (outside.max() > 1800)  # nothing was cut
    with pytest.raises(UserError, match=r"`range` is window, but .* states none"):
        upscale_file(nearest(2), CT, tmp_path / "c.dcm", Settings(range="window"))


def test_the_range_of_a_training_is_that_of_real_values(tmp_path):
    """Training reads Hounsfield units, and the same ones are black and white afterwards."""
    seen = []

    class Spy(nn.Module):
        def forward(self, lr):
            seen.append(lr)
            return lr

    sensor = Sensor(3, "float", lr=(-1000.0, 1000.0))
    up = Upscaler(Spy(), Spy(), 1, "spy", tile=256, sensor=sensor)
    stored = pydicom.dcmread(CT).pixel_array
    expected = ((stored - 1024.0 + 1000) / 2000).clip(0, 1)
    for suffix in ("dcm", "npy"):
        seen.clear()
        upscale_file(up, CT, tmp_path / f"made.{suffix}")
        assert np.abs(seen[-1][0, 0].numpy() - expected).max() < 1e-5
    assert np.array_equal(by_gdcm(tmp_path / "made.dcm")[0], stored)


def test_padding_is_no_measurement(nearest, tmp_path):
    source = pydicom.dcmread(CT)
    pixels = source.pixel_array.copy()
    pixels[:, :20] = -2000
    source.PixelData = pixels.tobytes()
    source.save_as(tmp_path / "a.dcm")
    assert source.PixelPaddingValue == -2000
    found = by_gdcm(upscale_file(nearest(2), tmp_path / "a.dcm", tmp_path / "b.dcm"))[0]
    assert np.array_equal(found, grown(pixels))
    found = np.load(upscale_file(nearest(2), tmp_path / "a.dcm", tmp_path / "b.npy"))
    assert np.isnan(found[:, :40]).all()
    assert np.isfinite(found[:, 40:]).all()


def test_what_dicom_cannot_be_made_of(nearest, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((9, 9)))
    with pytest.raises(UserError, match="dcm is made of DICOM files only"):
        upscale_file(nearest(2), tmp_path / "a.npy", tmp_path / "b.dcm")
    with pytest.raises(UserError, match="dcm keeps the type of the stored values, int16"):
        upscale_file(nearest(2), CT, tmp_path / "b.dcm", Settings(depth=8))


def test_files_of_a_disc_have_no_suffix(nearest, tmp_path):
    folder = tmp_path / "DICOM"
    folder.mkdir()
    for name in ("IM0001", "1.2.840.17", "1.2.840.18", "a.ima"):
        (folder / name).write_bytes(CT.read_bytes())
    (folder / "README").write_text("no image " * 30)
    outcome = carry_out(nearest(2), tasks(folder, tmp_path / "out", None), Settings())
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["1.2.840.17.dcm", "1.2.840.18.dcm", "IM0001.dcm", "a.dcm"]
    assert (outcome.done, outcome.failed) == (4, 0)


def test_text_in_the_pixels_is_told(nearest, tmp_path, monkeypatch):
    lines = []
    listing.say_once.cache_clear()
    monkeypatch.setattr(listing.LOG, "warning", lambda text, *values: lines.append(text % values))
    source = pydicom.dcmread(CT)
    source.BurnedInAnnotation = "YES"
    source.save_as(tmp_path / "a.dcm")
    upscale_file(nearest(2), tmp_path / "a.dcm", tmp_path / "b.dcm")
    assert any("pixels show text" in line for line in lines)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("name", ["CT_small", "MR_small_RLE", "MR_small_jp2klossless", "JPEG2000"])
def test_cut_files_are_refused(name, share, nearest, tmp_path):
    whole = (FILES / f"{name}.dcm").read_bytes()
    path = tmp_path / "a.dcm"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableImage) as refused:
        upscale_file(nearest(2), path, tmp_path / "b.dcm")
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == [path]


def test_packed_bombs_are_refused(nearest, tmp_path, monkeypatch):
    monkeypatch.setattr(dicom, "HEADER", 1 << 20)
    data = bytearray((FILES / "image_dfl.dcm").read_bytes())
    (length,) = struct.unpack_from("<L", data, 140)
    begin = 144 + length
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    more = b"".join(packed.compress(bytes(1 << 20)) for _ in range(10)) + packed.flush()
    (tmp_path / "a.dcm").write_bytes(bytes(data[:begin]) + more)
    with pytest.raises(UnreadableImage, match="more than 8 MB when unpacked"):
        upscale_file(nearest(2), tmp_path / "a.dcm", tmp_path / "b.dcm", Settings(limit=1))
    with pytest.raises(TooLarge):
        upscale_file(nearest(2), CT, tmp_path / "b.dcm", Settings(limit=0.01))


def test_what_is_no_image_says_so(nearest, tmp_path):
    with pytest.raises(UnreadableImage, match="it holds no image"):
        upscale_file(nearest(2), FILES / "test-SR.dcm", tmp_path / "b.dcm")


def test_without_pydicom_a_sentence_says_what_to_install(nearest, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pydicom", None)  # importing it fails
    with pytest.raises(
        UserError, match=r"A DICOM file needs the package pydicom: pip install 'wildsr\[dicom"
    ):
        upscale_file(nearest(2), CT, tmp_path / "b.dcm")
