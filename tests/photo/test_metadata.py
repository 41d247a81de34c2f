"""What a photo carries goes through every format, and says what is true of the result."""

import struct

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wildsr.inference.file import upscale_file
from wildsr.photo import encode
from wildsr.photo.metadata import add_exif_to_tiff, upright_xmp
from wildsr.photo.stream import Photo

SUFFIXES = ["jpg", "png", "webp", "tif"]
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6" tiff:Make="Maker"/></rdf:RDF></x:xmpmeta>'
)


def plain(value):
    return tuple(map(float, value)) if isinstance(value, tuple) else value


@pytest.fixture
def photo(tmp_path, exif, profile, noise):
    """``photo(suffix)``: a file of 30 x 40 pixels that carries everything."""

    def save(suffix):
        path = tmp_path / f"photo.{suffix}"
        options = {"exif": exif.tobytes(), "icc_profile": profile, "dpi": (300, 300), "xmp": XMP}
        if suffix in ("png", "tif"):
            options.pop("xmp")
        Image.fromarray(noise(30, 40)).save(path, **options)
        return path

    return save


@pytest.mark.parametrize("before", SUFFIXES)
@pytest.mark.parametrize("after", SUFFIXES)
def test_exif_and_profile_are_kept(before, after, photo, nearest, tmp_path, exif, profile):
    result = upscale_file(nearest(2), photo(before), tmp_path / f"result.{after}")
    with Image.open(result) as image:
        found = image.getexif()
        inner, place = (dict(found.get_ifd(ifd)) for ifd in (0x8769, 0x8825))
        assert image.info["icc_profile"] == profile
        assert image.size == (60, 80)  # upright
    assert found[0x0112] == 1
    assert (found[0x010F], found[0x0110]) == ("Maker", "Model")
    if before != "tif":  # which Pillow writes with question marks
        assert found[0x8298].encode("latin-1").decode() == "© Jürgen"
    expected = dict(exif.get_ifd(0x8769))
    assert (inner[0xA002], inner[0xA003]) == (60, 80)
    for tag in expected.keys() - {0xA002, 0xA003}:
        assert inner[tag] == expected[tag], hex(tag)
    assert {k: plain(v) for k, v in place.items()} == {1: "N", 2: (48.0, 8.0, 31.33)}


@pytest.mark.parametrize("before", ["jpg", "webp"])
@pytest.mark.parametrize("after", SUFFIXES)
def test_xmp_is_kept_and_upright(before, after, photo, nearest, tmp_path):
    result = upscale_file(nearest(2), photo(before), tmp_path / f"result.{after}")
    with Image.open(result) as image:
        xmp = image.info["xmp"] if after != "png" else image.info["XML:com.adobe.xmp"].encode()
    assert xmp == XMP.replace(b'Orientation="6"', b'Orientation="1"')


def test_xmp_of_elements_is_set_upright():
    assert upright_xmp(b"<tiff:Orientation>8</tiff:Orientation>") == (
        b"<tiff:Orientation>1</tiff:Orientation>"
    )


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_resolution_is_kept(suffix, photo, nearest, tmp_path):
    result = upscale_file(nearest(2), photo(suffix), tmp_path / f"result.{suffix}")
    with Image.open(result) as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_a_photo_without_metadata_gets_none(noise, nearest, tmp_path):
    Image.fromarray(noise(8, 8)).save(tmp_path / "bare.png")
    for suffix in SUFFIXES:
        result = upscale_file(nearest(2), tmp_path / "bare.png", tmp_path / f"result.{suffix}")
        with Image.open(result) as image:
            assert not image.getexif().get_ifd(0x8769)
            assert "icc_profile" not in image.info
            if suffix in ("png", "tif"):
                assert image.info["dpi"] == pytest.approx((72, 72), abs=0.1)


def test_damaged_exif_is_left_out(noise, nearest, tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(noise(8, 8)).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert Photo(path).exif is None
    with Image.open(upscale_file(nearest(2), path, tmp_path / "result.jpg")) as image:
        assert image.size == (16, 16)


def test_a_makers_note_too_long_for_jpeg_is_left_out(noise, nearest, tmp_path, exif):
    long = Image.Exif()
    long[0x010F] = "Maker"
    long.get_ifd(0x8769)[0x927C] = bytes(70000)
    Image.fromarray(noise(8, 8)).save(tmp_path / "photo.png", exif=long)
    with Image.open(upscale_file(nearest(2), tmp_path / "photo.png", tmp_path / "r.jpg")) as image:
        assert image.getexif()[0x010F] == "Maker"
        assert 0x927C not in image.getexif().get_ifd(0x8769)


def test_a_thumbnail_does_not_outlive_the_turn(noise, nearest, tmp_path, exif):
    small = Image.Exif()
    small[0x0112] = 6
    Image.fromarray(noise(30, 40)).save(tmp_path / "p.jpg", exif=small.tobytes())
    with Image.open(upscale_file(nearest(2), tmp_path / "p.jpg", tmp_path / "r.jpg")) as image:
        assert not image.getexif().get_ifd(1)


@pytest.mark.parametrize("big", [False, True])
def test_exif_in_tiff_of_both_byte_orders(big, noise, tmp_path, exif):
    path, pixels = tmp_path / "a.tif", noise(9, 7)
    Image.fromarray(noise(4, 4)).save(tmp_path / "upright.jpg", exif=exif)
    upright = Photo(tmp_path / "upright.jpg").exif
    image = Image.fromarray(pixels)
    if big:
        import tifffile

        tifffile.imwrite(path, pixels, byteorder=">", photometric="rgb")
    else:
        image.save(path)
    add_exif_to_tiff(path, upright, 7, 9)
    with Image.open(path) as read:
        assert np.array_equal(np.asarray(read), pixels)
        assert read.getexif()[0x010F] == "Maker"
        assert read.getexif().get_ifd(0x8769)[0x9003] == "2020:01:02 03:04:05"


@pytest.mark.parametrize(
    "tag",
    [
        struct.pack("<HHLL", 0x010F, 3, 1, 7),  # a maker that is a number
        struct.pack("<HHLL", 0x0128, 2, 4, 0x00636261),  # a resolution unit that is a text
        struct.pack("<HHLL", 0x011A, 2, 4, 0x00636261),  # a resolution that is a text
        struct.pack("<HHLL", 0x0132, 5, 1, 8),  # a date that is a fraction
        struct.pack("<HHLL", 0xC4A5, 12, 1, 8),
        struct.pack("<HHLL", 0x8298, 7, 4, 0xFFFEFDFC),
    ],
)
@pytest.mark.parametrize("suffix", ["tif", "jpg", "png", "webp"])
def test_odd_exif_never_costs_the_photo(tag, suffix, noise, nearest, tmp_path):
    model = struct.pack("<HHLL", 0x0110, 2, 4, 0x00646F4D)
    exif = b"Exif\0\0II*\0" + struct.pack("<LH", 8, 2) + tag + model + bytes(4)
    Image.fromarray(noise(16, 16)).save(tmp_path / "a.jpg", exif=exif)
    made = upscale_file(nearest(2), tmp_path / "a.jpg", tmp_path / f"r.{suffix}")
    with Image.open(made) as image:
        assert image.size == (32, 32)
        image.load()
        assert image.getexif().get(0x0110, "Mod") == "Mod"


def test_exif_of_imagemagick_is_read_from_a_pngs_text(exif, noise, tmp_path):
    """As a length and hexadecimal digits; digits that are none are no EXIF."""
    block = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    for digits, maker in ((block.hex(), "Maker"), ("no digits", None)):
        texts = PngInfo()
        texts.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{digits}\n")
        Image.fromarray(noise(30, 40)).save(tmp_path / "a.png", pnginfo=texts)
        photo = Photo(tmp_path / "a.png")
        assert (photo.exif or {}).get(0x010F) == maker
        assert (photo.width, photo.height) == (
            (30, 40) if maker else (40, 30)
        )  # it lay on its side


def test_exif_that_is_too_long_for_jpeg_does_not_cost_the_photo(noise, nearest, tmp_path):
    """libvips takes EXIF by way of a JPEG's, of 64 kB; no makers' note can be left out here."""
    exif = Image.Exif()
    exif[0x010E] = "words " * 12_000
    Image.fromarray(noise(16, 16)).save(tmp_path / "a.png", exif=exif)
    made = upscale_file(nearest(2), tmp_path / "a.png", tmp_path / "b.webp")
    with Image.open(made) as image:
        assert image.size == (32, 32)
        assert 0x010E not in image.getexif()


def test_a_bigtiff_is_written_without_exif(noise, nearest, tmp_path, exif, monkeypatch):
    monkeypatch.setattr(encode, "_big", lambda image: True)  # as above 4 GB
    pixels = noise(30, 40)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=100)
    made = upscale_file(nearest(2), tmp_path / "a.jpg", tmp_path / "b.tif")
    with tifffile.TiffFile(made) as file:
        assert file.is_bigtiff
        assert file.asarray().shape == (80, 60, 3)  # upright
        assert 0x8769 not in file.pages[0].tags
