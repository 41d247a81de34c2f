"""Enlarged photos are found, with their factor; others are not."""

import io

import numpy as np
import pytest
from PIL import Image
from support.coded import NAMES, clean, coded

from wildsr.forensics.enlargement import read_enlargement
from wildsr.forensics.folder import Codings
from wildsr.forensics.photo import read_coding


def resized(photo, factor, kind=Image.Resampling.BICUBIC):
    size = [round(side * factor) for side in (photo.shape[1], photo.shape[0])]
    return np.asarray(Image.fromarray(photo).resize(size, kind))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [Image.Resampling.BICUBIC, Image.Resampling.BILINEAR])
@pytest.mark.parametrize("factor", [1.25, 1.5, 1.75])
def test_the_factor_of_an_enlarged_photo(name, kind, factor):
    found = read_enlargement(resized(clean(name, 200), factor, kind))
    assert found == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize("factor", [3.3, 4.3])
def test_large_factors_without_coding(factor):
    found = read_enlargement(resized(clean("coffee", 112), factor))
    assert found == pytest.approx(factor, rel=0.02)


def test_enlarged_and_coded_afterwards():
    photo = coded(resized(clean("astronaut", 200), 1.8), 90)
    assert read_enlargement(photo) == pytest.approx(1.8, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_where_a_photo_was_not_enlarged(name):
    photo = clean(name, 160)
    assert read_enlargement(photo) is None
    assert read_enlargement(coded(photo, 40)) is None
    assert read_enlargement(resized(photo, 0.7)) is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quality", [30, 40, 50])
def test_the_blocks_of_webp_are_no_enlargement(name, quality):
    """They are of 4 x 4 pixels: the period of an enlargement by 4/3."""
    file = io.BytesIO()
    Image.fromarray(clean(name, 200)).save(file, "WEBP", quality=quality)
    assert read_enlargement(np.asarray(Image.open(file).convert("RGB"))) is None


def test_an_enlargement_by_four_thirds():
    found = read_enlargement(resized(clean("chelsea", 200), 4 / 3))
    assert found == pytest.approx(4 / 3, rel=0.02)


def test_flat_and_small_photos_show_nothing():
    assert read_enlargement(np.full((200, 200, 3), 90, np.uint8)) is None
    assert read_enlargement(np.zeros((1, 500), np.uint8)) is None


def test_it_is_said_of_a_folder(tmp_path):
    for number, factor in enumerate((1, 1.5)):
        Image.fromarray(resized(clean("coffee", 144), factor)).save(tmp_path / f"{number}.png")
    found = Codings.of(read_coding(path) for path in sorted(tmp_path.iterdir()))
    assert "1 of 2 were enlarged since they were taken, by about 1.5" in str(found)
    assert found.photos[0].enlarged is None
    kept = found.photos[1].to_dict()
    assert type(found.photos[1]).from_dict(kept) == found.photos[1]
