"""What files state, whatever else is in them."""

import io

import numpy as np
import pytest
from PIL import Image

from wildsr.forensics.coding import Coding
from wildsr.forensics.header import read_header
from wildsr.forensics.pixels import read_pixels
from wildsr.forensics.tables import libjpeg_tables
from wildsr.photo.image import read_image


def photo(height=120, width=132):
    noise = np.random.default_rng(0).normal(128, 40, (height // 4 + 2, width // 4 + 2, 3))
    small = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(("way", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_states_tables_and_subsampling(tmp_path, way, name, progressive):
    file = tmp_path / "a.jpg"
    photo().save(file, quality=63, subsampling=way, progressive=progressive)
    found = read_header(file)
    luma, chroma = libjpeg_tables()[:, 62]
    assert found == Coding(
        source="header",
        kind="JPEG",
        luma=tuple(luma.tolist()),
        chroma=tuple(chroma.tolist()),
        subsampling=name,
        phase=(0, 0),
        chroma_phase=(0, 0),
        quality=63,
        exact=True,
    )
    assert Coding.from_dict(found.to_dict()) == found


def test_gray_has_no_chrominance(tmp_path):
    photo().convert("L").save(tmp_path / "a.jpg", quality=40)
    found = read_header(tmp_path / "a.jpg")
    assert (found.quality, found.chroma, found.subsampling) == (40, None, "4:0:0")


def test_other_tables_are_kept_and_named_by_the_nearest(tmp_path):
    tables = [[min(255, 7 + i) for i in range(64)], [9] * 64]
    photo().save(tmp_path / "a.jpg", qtables=tables, subsampling=0)
    found = read_header(tmp_path / "a.jpg")
    assert sorted(found.luma) == tables[0]
    assert set(found.chroma) == {9}
    assert not found.exact


def test_16_bit_tables(tmp_path):
    buffer = io.BytesIO()
    photo().convert("L").save(buffer, "JPEG", quality=50)
    data = buffer.getvalue()
    at = data.index(b"\xff\xdb")
    steps = data[at + 5 : at + 69]
    wide = b"\xff\xdb" + (2 + 1 + 128).to_bytes(2, "big") + b"\x10"
    wide += b"".join(bytes((0, step)) for step in steps)
    (tmp_path / "a.jpg").write_bytes(data[:at] + wide + data[at + 69 :])
    found = read_header(tmp_path / "a.jpg")
    assert (found.quality, found.exact) == (50, True)


def test_thumbnails_and_previews_do_not_count(tmp_path):
    small = io.BytesIO()
    photo(48, 64).save(small, "JPEG", quality=10)
    exif = Image.Exif()
    exif[0x0110] = "camera"
    payload = exif.tobytes() + small.getvalue()
    photo().save(tmp_path / "a.jpg", quality=88, exif=payload)
    assert read_header(tmp_path / "a.jpg").quality == 88
    photo().save(
        tmp_path / "b.jpg", "MPO", save_all=True, append_images=[photo(48, 64)], quality=77
    )
    assert read_header(tmp_path / "b.jpg").quality == 77


def test_cmyk_has_no_luminance_of_its_own(tmp_path):
    photo().convert("CMYK").save(tmp_path / "a.jpg", quality=81)
    found = read_header(tmp_path / "a.jpg")
    assert (found.quality, found.exact, found.chroma) == (81, True, None)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_has_turned_tables_and_grid(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / "a.jpg"
    photo(150, 203).save(file, quality=45, subsampling=1, exif=exif)
    stated, seen = read_header(file), read_pixels(read_image(file))
    assert stated.phase == seen.phase
    assert stated.quality == 45
    assert stated.exact
    known = np.array(seen.luma) > 0
    if orientation <= 4:
        assert seen.subsampling == stated.subsampling == "4:2:2"
        assert seen.chroma_phase == stated.chroma_phase
    else:
        assert stated.subsampling == "4:4:0"
    assert (np.array(seen.luma)[known] == np.array(stated.luma)[known]).mean() > 0.7


def test_other_codecs_by_kind(tmp_path):
    photo().save(tmp_path / "lossy.webp", quality=50)
    photo().save(tmp_path / "exact.webp", lossless=True)
    photo().save(tmp_path / "a.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xdb")
    kinds = {p.name: read_header(p).kind for p in tmp_path.iterdir()}
    assert kinds == {"lossy.webp": "WebP", "exact.webp": None, "a.png": None, "broken.jpg": None}


def test_the_size_of_a_photo_does_not_matter(tmp_path, monkeypatch):
    path = tmp_path / "large.jpg"
    Image.new("RGB", (64, 48)).save(path, quality=70)
    expected = read_header(path)
    assert expected.source == "header"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # of Pillow's own, one for the process
    assert read_header(path) == expected
