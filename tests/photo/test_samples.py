"""Photos as their sensors gave them: type and channels, there and back."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from wildsr.error import UserError
from wildsr.photo.samples import kind_of, read_samples, write_samples

WHITE = {"uint8": 255, "uint16": 60000, "float32": 3.5}


def image(channels, dtype, seed=0):
    values = np.random.default_rng(seed).random((20, 30, channels)) * WHITE[dtype]
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", WHITE)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
def test_tiff_keeps_everything(tmp_path, channels, dtype):
    pixels = image(channels, dtype)
    path = tmp_path / "a.tif"
    write_samples(path, pixels)
    kind = kind_of(path)
    assert (kind.channels, kind.dtype, kind.height, kind.width) == (channels, dtype, 20, 30)
    read = read_samples(path)
    assert read.dtype == dtype
    assert np.array_equal(read, pixels)
    other = tifffile.imread(path)
    assert np.array_equal(other.reshape(pixels.shape), pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_png_keeps_depth_and_channels(tmp_path, channels, dtype):
    pixels = image(channels, dtype)
    write_samples(tmp_path / "a.png", pixels)
    assert kind_of(tmp_path / "a.png").depth == {"uint8": "8", "uint16": "16"}[dtype]
    assert np.array_equal(read_samples(tmp_path / "a.png"), pixels)


def test_planes_one_after_the_other_are_channels(tmp_path):
    pixels = image(5, "float32")
    planes = np.moveaxis(pixels, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="minisblack", planarconfig="separate")
    assert np.array_equal(read_samples(tmp_path / "a.tif"), pixels)


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint32", "float16", "float64"])
def test_other_types_become_float(tmp_path, dtype):
    pixels = np.arange(12, dtype=dtype).reshape(3, 4)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    assert kind_of(tmp_path / "a.tif").depth == "float"
    assert np.array_equal(read_samples(tmp_path / "a.tif")[..., 0], pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_float_files_are_turned_upright(tmp_path, orientation):
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    tifffile.imwrite(tmp_path / "8.tif", pixels, extratags=[(274, "H", 1, orientation, True)])
    tifffile.imwrite(
        tmp_path / "f.tif", pixels.astype(np.float32), extratags=[(274, "H", 1, orientation, True)]
    )
    upright = read_samples(tmp_path / "8.tif")
    assert np.array_equal(read_samples(tmp_path / "f.tif"), upright)
    assert kind_of(tmp_path / "f.tif").height == upright.shape[0]


def test_alpha_is_no_channel(tmp_path):
    Image.new("RGBA", (4, 4), (9, 9, 9, 0)).save(tmp_path / "a.tif")
    assert kind_of(tmp_path / "a.tif").channels == 3
    assert (read_samples(tmp_path / "a.tif") == 255).all()


def test_a_file_that_cannot_hold_it_says_so(tmp_path):
    with pytest.raises(UserError, match="a TIFF"):
        write_samples(tmp_path / "a.png", image(4, "uint16"))
    with pytest.raises(UserError, match="PNG or a TIFF"):
        write_samples(tmp_path / "a.jpg", image(1, "uint16"))


def test_what_was_not_measured_is_filled(tmp_path):
    pixels = np.arange(400, dtype=np.float32).reshape(20, 20)
    pixels[5:9, 5:9] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    found = read_samples(tmp_path / "a.tif")[..., 0]
    assert np.isfinite(found).all()
    assert found[5, 5] in (pixels[4, 5], pixels[5, 4])
    tags = [(42113, 2, None, "0", True)]
    tifffile.imwrite(tmp_path / "b.tif", np.nan_to_num(pixels).astype(np.int16), extratags=tags)
    assert (read_samples(tmp_path / "b.tif") != 0).all()


def test_arrays_are_samples(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((9, 8, 5), np.uint16))
    kind = kind_of(tmp_path / "a.npy")
    assert (kind.height, kind.width, kind.channels, kind.depth) == (9, 8, 5, "16")
    assert read_samples(tmp_path / "a.npy").dtype == np.uint16


def test_dicom_is_in_its_own_units(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    path = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
    kind, pixels = kind_of(path), read_samples(path)
    assert (kind.channels, kind.depth) == (1, "float")
    assert kind.range == (-32768 - 1024, 32767 - 1024)  # 16 bits with a sign, in Hounsfield units
    assert np.array_equal(pixels[..., 0], pydicom.dcmread(path).pixel_array - 1024.0)


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_transparent_values_are_composited_on_white(dtype, tmp_path):
    white = 1.0 if dtype == "float32" else 65535
    values = (np.random.default_rng(0).random((8, 9, 5)) * white).astype(dtype)
    values[..., 4] = white
    values[:2, :, 4] = 0
    options = {"photometric": "minisblack", "planarconfig": "contig", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", values, extrasamples=(0, 0, 0, 2), **options)
    assert kind_of(tmp_path / "a.tif").channels == 4
    found = read_samples(tmp_path / "a.tif")
    assert found.dtype == dtype
    assert (found[:2] == white).all()
    assert np.allclose(found[2:], values[2:, :, :4])


def test_a_channel_without_any_value_becomes_0(tmp_path):
    values = np.ones((8, 9, 3), np.float32)
    values[..., 1] = np.nan
    values[0, 0, 2] = np.nan
    np.save(tmp_path / "a.npy", values)
    found = read_samples(tmp_path / "a.npy")
    assert (found[..., 1] == 0).all()
    assert (found[..., [0, 2]] == 1).all()


def test_a_photo_has_its_own_kind(tmp_path):
    Image.new("RGB", (9, 8)).save(tmp_path / "a.png")
    found = kind_of(tmp_path / "a.png")
    assert (found.height, found.width, found.channels, found.dtype) == (8, 9, 3, np.uint8)
