"""NumPy files in and out, read back by NumPy."""

import zipfile

import numpy as np
import pytest
import tifffile

from wildsr.error import UserError
from wildsr.inference.file import Settings, upscale_file
from wildsr.photo import folder as listing
from wildsr.photo.raster.array import layout_of
from wildsr.photo.unreadable import UnreadableImage


def twice(pixels, axes=(0, 1)):
    return pixels.repeat(2, axis=axes[0]).repeat(2, axis=axes[1])


def zipped(path, **arrays):
    """A .npz file whose arrays may have any name."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)
    return path


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((20, 30), "HW"),
        ((20, 30, 4), "HWC"),
        ((4, 20, 30), "CHW"),
        ((20, 4, 30), "NHW"),  # the shortest axis is in the middle: pages of one band
        ((100, 100, 100), "NHW"),  # more than 64
        ((7, 20, 30, 4), "NHWC"),
        ((7, 4, 20, 30), "NCHW"),
    ],
)
def test_which_axes_are_which(shape, axes):
    assert layout_of(shape, np.dtype(np.uint8)).axes == axes


def test_four_axes_without_bands_are_refused():
    with pytest.raises(ValueError, match="no axis holds the bands"):
        layout_of((2, 20, 4, 30), np.dtype(np.uint8))


def test_pages_of_one_band_come_back_as_they_were(noise, nearest, tmp_path):
    pixels = noise(9, 4, 10)[..., :10]
    np.save(tmp_path / "a.npy", pixels)
    found = np.load(upscale_file(nearest(2), tmp_path / "a.npy", tmp_path / "b.npy"))
    assert np.array_equal(found, twice(pixels, (1, 2)))


def test_arrays_of_any_name_come_back(noise, nearest, tmp_path):
    """Also of those by which NumPy's own function calls its arguments."""
    pixels = noise(8, 9, 1)[..., 0]
    zipped(tmp_path / "a.npz", file=pixels, allow_pickle=pixels[:4], args=np.arange(3))
    found = np.load(upscale_file(nearest(2), tmp_path / "a.npz", tmp_path / "b.npz"))
    assert set(found) == {"file", "allow_pickle", "args"}
    assert np.array_equal(found["file"], twice(pixels))
    assert np.array_equal(found["allow_pickle"], twice(pixels[:4]))
    assert found["args"].tolist() == [0, 1, 2]


def test_python_objects_are_left_out_and_told(noise, nearest, tmp_path, monkeypatch):
    lines = []
    listing.say_once.cache_clear()
    monkeypatch.setattr(listing.LOG, "warning", lambda text, *values: lines.append(text % values))
    np.savez(tmp_path / "a.npz", image=noise(8, 9), odd=np.array([[print]], object))
    found = np.load(upscale_file(nearest(2), tmp_path / "a.npz", tmp_path / "b.npz"))
    assert set(found) == {"image"}
    assert [line for line in lines if "odd.npy holds Python objects and is left out" in line]


def test_a_zip_without_a_picture_is_refused(nearest, tmp_path):
    np.savez(tmp_path / "a.npz", numbers=np.arange(5))
    with pytest.raises(UnreadableImage, match="none of its arrays is a picture"):
        upscale_file(nearest(2), tmp_path / "a.npz", tmp_path / "b.npz")


def test_an_array_that_goes_on_after_its_end_is_refused(noise, nearest, tmp_path):
    np.save(tmp_path / "a.npy", noise(8, 9))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("image.npy", (tmp_path / "a.npy").read_bytes() + b"more")
    with pytest.raises(UnreadableImage, match=r"image\.npy is longer than its header says"):
        upscale_file(nearest(2), tmp_path / "a.npz", tmp_path / "b.npz")


def test_pages_of_other_files_become_one_array_or_one_each(noise, nearest, tmp_path):
    same = [noise(8, 9, 1, seed=n)[..., 0] for n in range(2)]
    tifffile.imwrite(tmp_path / "same.tif", np.stack(same), photometric="minisblack")
    made = np.load(upscale_file(nearest(2), tmp_path / "same.tif", tmp_path / "same.npz"))
    assert np.array_equal(made["image"], twice(np.stack(same), (1, 2)))
    with tifffile.TiffWriter(tmp_path / "two.tif") as file:
        for page in (same[0], noise(5, 6)):
            file.write(page, metadata=None)
    made = np.load(upscale_file(nearest(2), tmp_path / "two.tif", tmp_path / "two.npz"))
    assert np.array_equal(made["page1"], twice(same[0]))
    assert made["page2"].shape == (10, 12, 3)
    with pytest.raises(UserError, match="npy holds pages of one size and type; npz holds any"):
        upscale_file(nearest(2), tmp_path / "two.tif", tmp_path / "two.npy")


def test_several_arrays_do_not_fit_into_one_file(noise, nearest, tmp_path):
    np.savez(tmp_path / "a.npz", one=noise(8, 9), two=noise(8, 9))
    with pytest.raises(
        UserError, match=r"b\.npy: npy holds one array, but .*a\.npz has 2; page= picks"
    ):
        upscale_file(nearest(2), tmp_path / "a.npz", tmp_path / "b.npy")
    made = upscale_file(nearest(2), tmp_path / "a.npz", tmp_path / "b.npy", Settings(page=2))
    assert np.load(made).shape == (16, 18, 3)
