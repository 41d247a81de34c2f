"""What happens to results of measured values that do not fit: on the disk, or in their format."""

import errno

import numpy as np
import pytest
import tifffile

from wildsr.error import UserError
from wildsr.inference.file import Settings, upscale_file
from wildsr.photo.raster import base
from wildsr.photo.unreadable import TooLarge, UnreadableImage


@pytest.fixture
def disk_full(monkeypatch):
    """No file grows any more, but those of NumPy: an error of the file that is written."""

    def refuse(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile.TiffWriter, "write", refuse)


def test_a_full_disk_is_not_blamed_on_the_source(disk_full, nearest, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((9, 8), np.float32))
    with pytest.raises(UserError) as said:
        upscale_file(nearest(2), tmp_path / "a.npy", tmp_path / "b.tif")
    assert not isinstance(said.value, UnreadableImage)
    assert str(said.value).startswith(f"{tmp_path / 'b.tif'} cannot be written: ")
    assert "No space left on device" in str(said.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_a_source_that_fails_half_way_is_not_blamed_on_the_disk(nearest, tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((9, 8), np.float32))

    def broken(self, count):
        raise OSError(errno.EIO, "Input/output error")

    up = nearest(2)
    monkeypatch.setattr(base.PageRows, "read", broken)
    given = Settings(range=(0, 1))  # so that nothing is read before it is upscaled
    with pytest.raises(UnreadableImage, match=r"a\.npy cannot be read: Input/output error"):
        upscale_file(up, tmp_path / "a.npy", tmp_path / "b.tif", given)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_a_picture_that_fails_half_way_leaves_nothing(nearest, tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((9, 8, 3), np.uint8))

    def broken(self, count):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(base.PageRows, "read", broken)
    for name in ("b.png", "b.npy"):
        with pytest.raises(UnreadableImage, match="Input/output error"):
            upscale_file(nearest(2), tmp_path / "a.npy", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_pictures_hold_gray_or_rgb(nearest, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((9, 8, 5), np.uint8))
    with pytest.raises(
        UserError, match=r"png holds gray or RGB, but the result has 5 bands; bands="
    ):
        upscale_file(nearest(2), tmp_path / "a.npy", tmp_path / "b.png")
    picked = Settings(bands=[2])
    made = upscale_file(nearest(2), tmp_path / "a.npy", tmp_path / "b.png", picked)
    assert made.stat().st_size


def test_more_pages_than_anybody_means_are_refused(tmp_path):
    (tmp_path / "a").write_bytes(bytes(100_000))
    pages = [base.Page(1, 1, 1, np.dtype(np.uint8))] * (base.MOST_PAGES + 1)
    with pytest.raises(TooLarge, match=r"65537 pages, at most 65536 are read \(limit=null"):
        base.allow_pages(tmp_path / "a", pages, 200.0)
    base.allow_pages(tmp_path / "a", pages, None)
    with pytest.raises(ValueError, match="it holds no pixels"):
        base.allow_pages(tmp_path / "a", [], 200.0)
