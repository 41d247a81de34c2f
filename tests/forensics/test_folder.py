"""A photo by file and pixels, and a folder in one sentence."""

import json

import numpy as np
import pytest
from PIL import Image
from support.coded import clean, coded

from wildsr.forensics.coding import Coding, filled
from wildsr.forensics.folder import Codings
from wildsr.forensics.photo import read_coding
from wildsr.forensics.tables import libjpeg_tables, nearest_quality


def test_the_file_first_and_the_older_coding_from_the_pixels(tmp_path):
    before = coded(clean("astronaut", 200), 60)
    Image.fromarray(before).save(tmp_path / "a.jpg", quality=90)
    found = read_coding(tmp_path / "a.jpg")
    assert (found.source, found.quality, found.older.quality) == ("header", 90, 60)
    assert str(found) == "JPEG of quality 90, 4:2:0, about 60 before"
    assert Coding.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_pixels_where_the_file_says_nothing(tmp_path):
    Image.fromarray(coded(clean("chelsea"), 71)[4:, 4:]).save(tmp_path / "a.png")
    found = read_coding(tmp_path / "a.png")
    assert (found.source, found.quality, found.phase) == ("pixels", 71, (4, 4))


def test_jpeg_before_webp(tmp_path):
    Image.fromarray(clean("chelsea")).save(tmp_path / "a.webp", quality=60)
    found = read_coding(tmp_path / "a.webp")
    assert (found.source, found.kind, found.luma) == ("header", "WebP", None)


def test_a_folder_in_one_sentence():
    def jpeg(quality, source="header", older=None):
        table = tuple(libjpeg_tables()[0, quality - 1].tolist())
        return Coding(source, "JPEG", table, quality=quality, exact=True, older=older)

    photos = [jpeg(q) for q in range(71, 93)] + [jpeg(90, older=jpeg(60))] * 3 + [Coding()] * 2
    assert str(Codings.of(photos)) == (
        "25 of 27 photos are JPEG (quality 71 to 92, read from the files; "
        "3 re-saved, about 60 before)"
    )
    assert str(Codings.of([Coding()] * 4)) == "none of 4 photos show JPEG"
    assert "looked for in 8-bit gray and RGB" in str(Codings.of([Coding("unread")] * 4))
    record = Codings.of([*photos, Coding("header", "WebP")]).to_dict()
    assert json.loads(json.dumps(record))["kinds"] == {"JPEG": 25, "None": 2, "WebP": 1}


def test_gaps_of_a_table_are_filled():
    table = libjpeg_tables()[0, 64].copy()
    table[40:] = 0
    assert filled(tuple(table)) == tuple(libjpeg_tables()[0, 64])
    assert nearest_quality(tuple(np.reshape(table, (8, 8)).T.flatten())) == (65, True)


def test_words_of_a_folder_that_is_read_in_two_ways():
    def jpeg(quality, source):
        table = tuple(libjpeg_tables()[0, quality - 1].tolist())
        return Coding(source, "JPEG", table, quality=quality, exact=True)

    both = Codings.of([jpeg(80, "header"), jpeg(80, "pixels"), jpeg(80, "pixels"), Coding()])
    assert both.share == 0.75
    assert "3 of 4 photos are JPEG (quality 80, 1 read from the files and 2 from the p" in str(both)
    assert Codings.of([]).share == 0


def test_words_of_a_photo():
    table = tuple(libjpeg_tables()[0, 49].tolist())
    gray = Coding("pixels", "JPEG", table, phase=(3, 4), subsampling="4:0:0", quality=50)
    assert str(gray) == "JPEG of quality about 50, gray, grid at (3, 4)"
    assert str(Coding()) == "no lossy coding found"
    assert str(Coding("header", "WebP", enlarged=2.0)) == "WebP, enlarged by about 2"


def test_a_table_of_which_nothing_is_known_has_no_quality():
    with pytest.raises(ValueError, match="`table` must have known steps, but got none"):
        nearest_quality((0,) * 64)
