"""Measured values as pictures: bands, windows, what is transparent; and the ranges behind them."""

import numpy as np
import pytest
import tifffile

from wildsr.error import UserError
from wildsr.photo.raster.array import ArrayRaster
from wildsr.photo.raster.open import open_raster
from wildsr.photo.raster.ranges import check_wish, ranges
from wildsr.photo.raster.view import View


@pytest.fixture
def raster(tmp_path):
    """``raster(values)``: an array as a file."""

    def make(values):
        np.save(tmp_path / "a.npy", values)
        return ArrayRaster(tmp_path / "a.npy", "npy", None)

    return make


def test_bands_are_counted_from_one(raster):
    values = np.random.default_rng(0).integers(0, 256, (6, 7, 5)).astype(np.uint8)
    found = View(raster(values), [5, 3, 1]).read(6)
    assert np.array_equal(found, values[..., [4, 2, 0]])
    assert np.array_equal(View(raster(values)).read(6)[..., 0], values[..., 0])
    for bands in ([1, 2], [6], [0, 1, 2], []):
        with pytest.raises(UserError, match=r"`bands` must be one or three numbers from 1 to 5"):
            View(raster(values), bands)


def test_pages_are_counted_from_one(raster):
    values = np.arange(2 * 66 * 67, dtype=np.uint16).reshape(2, 66, 67, 1)
    view = View(raster(values), page=2)
    assert (view.frames, view.height, view.width) == (2, 66, 67)
    assert np.array_equal(view.read(66), values[1])
    for page in (0, 3):
        with pytest.raises(UserError, match=rf"`page` must be 1 to 2, but got {page}"):
            View(raster(values), page=page)


def test_a_window_is_black_and_white_and_what_is_no_number_is_clear(raster):
    values = np.array([[-1.0, 0.0, 0.5], [1.0, 2.0, np.nan]], np.float32)
    view = View(raster(values), window=(0.0, 1.0))
    found = np.concatenate([view.read(1), view.read(1)])
    assert found.dtype == np.uint16
    assert found[..., 0].tolist() == [[0, 0, 32768], [65535, 65535, 0]]
    assert found[..., 1].tolist() == [[65535] * 3, [65535, 65535, 0]]


def test_alpha_of_the_file_is_alpha_of_the_picture(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (6, 7, 5)).astype(np.uint16)
    values[..., 4] = [0, 65535, 32768, 0, 65535, 32768, 1]
    options = {"photometric": "minisblack", "planarconfig": "contig", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", values, extrasamples=(0, 0, 0, 2), **options)
    raster = open_raster(tmp_path / "a.tif", "tiff", None)
    view = View(raster, [3, 2, 1])
    assert view.channels == 4
    found = view.read(6)
    assert np.array_equal(found[..., :3], values[..., [2, 1, 0]])
    assert np.array_equal(found[..., 3], values[..., 4])


@pytest.mark.parametrize("wish", [None, "auto", "window", (1.0, 2.0)])
def test_ranges_that_are_taken(wish):
    assert check_wish(wish) == wish
    assert check_wish([1, 2]) == (1.0, 2.0)


@pytest.mark.parametrize(
    "wish", ["all", "12", [2, 1], [1, 1], [1], [0, "x"], 5, [0, float("inf")], [float("nan"), 1]]
)
def test_ranges_that_are_refused(wish):
    with pytest.raises(
        UserError, match=r"`range` must be \[low, high\], auto, window or null, but"
    ):
        check_wish(wish)


def test_a_file_of_one_value_has_a_range(raster):
    for values in (np.full((4, 5), 3.0, np.float32), np.full((4, 5), np.nan, np.float32)):
        (low, high), odd = (
            ranges(raster(values), [0], None)[0][0],
            ranges(raster(values), [0], None)[1],
        )
        assert (high > low).all()
        assert odd == np.isnan(values).mean()
