"""What files state, whatever else is in them."""

import io

import numpy as np
import pytest
from PIL import Image

from wildsr.forensics.coding import Coding, jpeg_coding, upright
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


def test_a_turned_photo_of_a_subsampling_without_a_name():
    """4:1:1 covers 8 x 32 pixels with a block of chrominance; turned, 32 x 8."""
    table = tuple(range(1, 65))
    stored = jpeg_coding(
        "header", table, table, subsampling="4:1:1", phase=(0, 0), chroma_phase=(0, 0)
    )
    mirrored = upright(stored, 3, 44, 120)
    assert (mirrored.subsampling, mirrored.chroma_phase) == ("4:1:1", (44 % 8, 120 % 32))
    turned = upright(stored, 8, 44, 120)
    assert (turned.subsampling, turned.chroma_phase) == (None, (120 % 32, 0))


def test_the_lowest_quality_of_webp_is_kept():
    lowest = Coding("header", "WebP", quality=0)
    assert Coding.from_dict(lowest.to_dict()) == lowest
    assert Coding.from_dict(lowest.to_dict()).quality == 0


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


@pytest.mark.parametrize(("kind", "name"), [("AVIF", "AVIF"), ("JPEG2000", "JPEG 2000")])
def test_more_lossy_codecs_by_kind(kind, name, tmp_path):
    photo().save(tmp_path / "a", kind)
    found = read_header(tmp_path / "a")
    assert (found.source, found.kind, found.luma) == ("header", name, None)


def test_jpeg_within_tiff_is_left_to_the_pixels(tmp_path):
    photo().save(tmp_path / "a.tif", compression="jpeg", quality=60)
    assert read_header(tmp_path / "a.tif") == Coding("none")


def jpeg(**options):
    """A JPEG's bytes without the JFIF segment."""
    buffer = io.BytesIO()
    photo().save(buffer, "JPEG", quality=55, **options)
    data = buffer.getvalue()
    return data[:2] + data[20:] if data[6:10] == b"JFIF" else data


def with_adobe(data, transform):
    return data[:2] + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform]) + data[2:]


def renamed(data, names):
    """The components of the frame and of its scan under other names."""
    made = bytearray(data)
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    for number, name in enumerate(names):
        made[frame + 10 + 3 * number] = made[scan + 5 + 2 * number] = ord(name)
    return bytes(made)


@pytest.mark.parametrize(
    ("change", "coloured"),
    [
        (lambda data: data, True),  # components 1, 2, 3
        (lambda data: renamed(data, "RGB"), False),
        (lambda data: with_adobe(data, 1), True),
        (lambda data: with_adobe(data, 0), False),
        (lambda data: with_adobe(renamed(data, "RGB"), 1), True),
    ],
)
def test_whether_components_are_luminance_is_told_as_libjpeg_tells(change, coloured, tmp_path):
    (tmp_path / "a.jpg").write_bytes(change(jpeg(subsampling=0)))
    found = read_header(tmp_path / "a.jpg")
    assert (found.chroma is not None) == coloured
    assert found.subsampling == ("4:4:4" if coloured else None)
    luma, chroma = libjpeg_tables()[:, 54]
    assert found.luma == tuple((luma if coloured else chroma).tolist())  # green has the other's


def test_chrominance_of_odd_ratios_has_no_name(tmp_path):
    data = bytearray(jpeg(subsampling=0))
    frame = data.index(b"\xff\xc0")
    data[frame + 11], data[frame + 14], data[frame + 17] = 0x31, 0x21, 0x21  # 3 to 2
    (tmp_path / "a.jpg").write_bytes(data)
    found = read_header(tmp_path / "a.jpg")
    assert (found.quality, found.subsampling) == (55, None)


def test_damaged_exif_says_nothing_about_the_coding(tmp_path):
    data = jpeg(subsampling=0)
    exif = b"Exif\0\0no TIFF header at all"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "a.jpg").write_bytes(data[:2] + segment + data[2:])
    assert read_header(tmp_path / "a.jpg").quality == 55


@pytest.mark.parametrize(("lossless", "kind"), [(False, "WebP"), (True, None)])
def test_frames_of_a_moving_webp(lossless, kind, tmp_path):
    """Whose pictures lie deeper than those of a still one, behind its profile."""
    frames = [photo(), photo().rotate(90, expand=False)]
    options = {"save_all": True, "append_images": frames[1:], "icc_profile": b"odd" * 33}
    frames[0].save(tmp_path / "a.webp", lossless=lossless, **options)
    assert read_header(tmp_path / "a.webp").kind == kind


def test_a_webp_without_a_picture_has_no_coding(tmp_path):
    from wildsr.forensics.header import _at_vp8

    assert not _at_vp8(io.BytesIO(b"EXIF\3\0\0\0abc\0XMP \0\0\0\0"))
    assert not _at_vp8(io.BytesIO(b"EXIF\xff\xff\xff\x7f"))
