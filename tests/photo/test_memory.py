"""Memory that C reads has an owner as long as it is read."""

import gc

import numpy as np
import pytest
from PIL import Image

from wildsr.photo.stream import Photo


@pytest.fixture(autouse=True)
def little_to_look_through():
    """The collector passes over what other tests have left: only this one's photos count."""
    gc.freeze()


def overwrite():
    """Collect what nobody owns, and take its place with other bytes."""
    gc.collect()
    return [np.full(size, 0xA5, np.uint8) for size in (300, 3000, 30_000, 300_000) * 20]


@pytest.mark.parametrize("suffix", ["bmp", "gif", "png", "jpg", "webp", "tif", "lab.tif", "avif"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_rows_survive_garbage_collection_between_them(suffix, orientation, noise, tmp_path):
    path = tmp_path / f"a.{suffix}"
    image = Image.fromarray(np.kron(noise(20, 25), np.ones((5, 5, 1), np.uint8)))
    if suffix == "lab.tif":
        image = Image.frombytes("LAB", image.size, image.tobytes())
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, **({} if suffix in ("bmp", "gif") else {"exif": exif}))
    expected = Photo(path).read(Photo(path).height)
    photo, found, filling = Photo(path), [], []
    for _ in range(photo.height // 25):
        filling = overwrite()
        found.append(photo.read(25))
    del photo  # what was handed out stays
    filling = overwrite()
    assert filling
    assert np.array_equal(np.concatenate(found), expected)
    assert expected.std() > 20


def test_open_photos_do_not_share_memory(noise, tmp_path):
    pixels = [noise(40, 30, seed=seed) for seed in range(8)]
    for number, one in enumerate(pixels):
        Image.fromarray(one).save(tmp_path / f"{number}.bmp")
    photos = [Photo(tmp_path / f"{number}.bmp") for number in range(8)]
    found = [[] for _ in photos]
    for _ in range(2):
        overwrite()
        for parts, photo in zip(found, photos, strict=True):
            parts.append(photo.read(20))
    for parts, one in zip(found, pixels, strict=True):
        assert np.array_equal(np.concatenate(parts), one)
