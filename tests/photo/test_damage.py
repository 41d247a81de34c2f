"""Damaged and cut files, bombs and disguises: refused, whoever reads them."""

import io
import os
import random
import struct
import time

import numpy as np
import pytest
from PIL import Image

from wildsr.error import UserError
from wildsr.photo import formats
from wildsr.photo.image import TooLarge, UnreadableImage, read_image
from wildsr.photo.metadata import exif_of, orientation_of
from wildsr.photo.stream import Photo, size_of
from wildsr.photo.vips import pyvips


def picture(height=160, width=240):
    """Smooth, with some noise, as photos are."""
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([x * 255 / width, y * 255 / height, 128 + 100 * np.sin(x / 9)], axis=-1)
    grain = np.random.default_rng(0).normal(0, 4, smooth.shape)
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def coded(kind, **options):
    file = io.BytesIO()
    picture().save(file, kind, **options)
    return file.getvalue()


FILES = {
    "png": lambda: coded("PNG"),
    "interlaced": lambda: coded("JPEG", progressive=True),
    "jpg": lambda: coded("JPEG"),
    "lzw": lambda: coded("TIFF", compression="tiff_lzw"),
    "deflate": lambda: coded("TIFF", compression="tiff_adobe_deflate"),
    "raw": lambda: coded("TIFF"),
    "webp": lambda: coded("WEBP"),
    "lossless": lambda: coded("WEBP", lossless=True),
    "gif": lambda: coded("GIF"),
    "bmp": lambda: coded("BMP"),
    "avif": lambda: coded("AVIF"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.05, 0.4, 0.8, 0.97])
def test_every_reader_refuses_a_cut_file(name, share, tmp_path):
    whole = FILES[name]()
    path = tmp_path / "a.png"
    path.write_bytes(whole)
    assert read_image(path).shape == (160, 240, 3)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableImage) as refused:
        read_image(path)
    assert "\n" not in str(refused.value)


# Share of files with twelve flipped bits that must be refused: formats with checksums all of them;
# what others decode differs from the photo by no rule.
@pytest.mark.parametrize(
    ("name", "least"),
    [("png", 20), ("jpg", 17), ("interlaced", 18), ("lzw", 19), ("deflate", 20), ("avif", 20)],
)
def test_flipped_bits_are_refused(name, least, tmp_path):
    whole, path = FILES[name](), tmp_path / "a.img"
    path.write_bytes(whole)
    expected, refused = read_image(path), 0
    for seed in range(20):
        draw, damaged = random.Random(seed), bytearray(whole)
        for _ in range(12):
            place = draw.randrange(len(whole) // 3, len(whole) * 9 // 10)
            damaged[place] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            refused += int(np.array_equal(read_image(path), expected))
        except UnreadableImage:
            refused += 1
    assert refused >= least


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "raw"])
@pytest.mark.parametrize("options", [{}, {"tile": True}, {"big": True}, {"predictor": True}])
@pytest.mark.parametrize("bands", [1, 3])
def test_sound_tiffs_of_every_layout_pass(compression, options, bands, noise, tmp_path):
    names = {"tiff_lzw": "lzw", "tiff_adobe_deflate": "deflate", "raw": "none"}
    said = {"compression": names.get(compression, compression)}
    said |= {"tile": True, "tile_width": 64, "tile_height": 32} if "tile" in options else {}
    said |= {"bigtiff": True} if "big" in options else {}
    said |= {"predictor": "horizontal"} if "predictor" in options else {"predictor": "none"}
    flat = np.full((100, 300, bands), 7, np.uint8)
    for pixels in (noise(211, 150, bands), flat, np.asarray(picture())[..., :bands]):
        pyvips.Image.new_from_array(pixels).tiffsave(str(tmp_path / "v.tif"), **said)
        found = read_image(tmp_path / "v.tif")
        assert np.array_equal(found, np.broadcast_to(pixels, found.shape))
        if not options:
            Image.fromarray(pixels.squeeze()).save(tmp_path / "p.tif", compression=compression)
            assert np.array_equal(read_image(tmp_path / "p.tif"), found)


@pytest.mark.parametrize("options", [{}, {"tile": (64, 64)}, {"predictor": True}])
def test_sound_lzw_by_another_encoder_passes(options, noise, tmp_path):
    """Which goes on for some codes more before it clears its table."""
    pytest.importorskip("imagecodecs")
    tifffile = pytest.importorskip("tifffile")
    for pixels in (noise(300, 300), np.full((300, 300, 3), 7, np.uint8)):
        tifffile.imwrite(tmp_path / "a.tif", pixels, compression="lzw", **options)
        assert np.array_equal(read_image(tmp_path / "a.tif"), pixels)


def test_padding_before_the_end_of_a_jpeg_is_borne(tmp_path):
    """As some phones write it; every program shows such files."""
    whole, path = coded("JPEG"), tmp_path / "a.jpg"
    path.write_bytes(whole)
    expected = read_image(path)
    for padded in (whole[:-2] + b"\x12" * 40 + whole[-2:], whole + b"\0" * 300):
        path.write_bytes(padded)
        assert np.array_equal(read_image(path), expected)


def jpeg_with_scans(count, side=2000):
    """A gray progressive JPEG whose second scan is there many times."""
    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    first = data.index(b"\xff\xda")
    second = data.index(b"\xff\xda", first + 2)
    third = formats._MARKER.search(data, second + 2 + 8).start()
    return data[:third] + data[second:third] * (count - 1) + data[third:]


def test_a_jpeg_of_many_scans_is_refused_at_once(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_with_scans(3000))
    begun = time.process_time()
    with pytest.raises(UnreadableImage, match="more than 100 scans"):
        read_image(path)
    assert time.process_time() - begun < 1
    assert size_of(path) is None


def test_scans_are_counted_past_thumbnails(tmp_path):
    exif = b"Exif\0\0" + b"\xff\xda" * 400  # a thumbnail's bytes are no scans of the photo
    path = tmp_path / "a.jpg"
    picture().save(path, exif=exif)
    assert formats.jpeg_structure(path) == formats.Jpeg(1, plain=True)
    picture().save(path, progressive=True)
    assert formats.jpeg_structure(path).scans > 4


def gif_of(width, height, frame):
    """A GIF whose screen is (width, height) and whose first frame is larger."""
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0)
    return (
        b"GIF89a" + screen + b"\0" * 6 + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0)
        + b"\x02\x02\x4c\x01\0;"
    )  # fmt: skip


@pytest.mark.parametrize("suffix", ["gif", "bmp", "png"])
def test_large_gifs_are_refused_whatever_their_name_and_screen(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    for data in (gif_of(60000, 60000, (8, 8)), gif_of(8, 8, (60000, 60000))):
        path.write_bytes(data)
        for read in (read_image, Photo):
            with pytest.raises(TooLarge, match=r"more than `limit` allows \(200 megapixels\)"):
                read(path)


def test_the_limit_is_the_callers(tmp_path):
    for suffix in ("png", "jpg", "tif", "webp", "bmp", "gif"):
        path = tmp_path / f"a.{suffix}"
        picture().save(path)
        assert read_image(path, 0.0384).shape == (160, 240, 3)
        assert read_image(path, None).shape == (160, 240, 3)
        with pytest.raises(TooLarge, match="240 x 160 pixels"):
            read_image(path, 0.038)


def test_a_tiff_of_many_pages_is_quick_and_says_so(tmp_path):
    pages = [Image.new("L", (2, 2), number) for number in range(50)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert Photo(tmp_path / "a.tif").frames == 50


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_animations_say_that_the_first_picture_is_taken(suffix, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("wildsr.photo.stream.say_once", said.append)
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    photo = Photo(path)
    assert photo.frames == 3
    assert said == []  # who only looks at the size takes none
    photo.read(8)
    assert said == [f"{path}: the first of 3 pictures in the file is taken"]
    frames[0].save(path)
    photo = Photo(path)
    photo.read(8)
    assert photo.frames == 1
    assert len(said) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_is_refused_and_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(UnreadableImage, match="not a regular file"):
        Photo(tmp_path / "a.png")
    with pytest.raises(UserError, match="not a regular file"):
        read_image("/dev/zero")


def lab_tiff(photometric, bits=8):
    """White, black, and a red by its Lab coordinates (53.2, 80, 67), by hand."""
    if photometric == 8:
        values = [(255, 0, 0), (0, 0, 0), (136, 80, 67)]
    else:
        values = [(255, 128, 128), (0, 128, 128), (136, 208, 195)]
    data = b"".join(bytes(value) for value in values)
    tags = [(256, 3, 1, 3), (257, 3, 1, 1), (259, 3, 1, 1), (262, 3, 1, photometric)]
    tags += [(277, 3, 1, 3), (278, 3, 1, 1), (279, 4, 1, len(data))]
    end = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags += [(258, 3, 3, end), (273, 4, 1, end + 6)]
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in sorted(tags))
    head = b"II*\0" + struct.pack("<LH", 8, len(tags))
    return head + entries + bytes(4) + struct.pack("<HHH", bits, bits, bits) + data


@pytest.mark.parametrize("photometric", [8, 9])
def test_lab_becomes_srgb_alike_for_all(photometric, tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(lab_tiff(photometric))
    found = read_image(path)[0].astype(int)
    assert np.abs(found - [[255] * 3, [0] * 3, [255, 0, 0]]).max() <= 12
    assert np.array_equal(Photo(path).read(1)[0], found)


def test_orientation_is_exifs_else_xmps(tmp_path):
    xmp = b'<rdf:Description tiff:Orientation="6"/>'
    assert orientation_of({}, xmp) == 6
    assert orientation_of({}, b"<tiff:Orientation>8</tiff:Orientation>") == 8
    assert orientation_of({0x0112: 3}, xmp) == 3
    assert orientation_of({0x0112: "6"}, b"") == 1
    assert orientation_of({0x0112: 99}, b"") == 1
    assert exif_of(tmp_path / "none", "jpeg", None) == (None, {})


def test_exif_behind_a_pngs_pixels_is_found_without_decoding(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture().save(tmp_path / "a.png", exif=exif)
    data = (tmp_path / "a.png").read_bytes()
    place = data.index(b"eXIf") - 4
    size = struct.unpack(">I", data[place : place + 4])[0] + 12
    end = len(data) - 12
    moved = data[:place] + data[place + size : end] + data[place : place + size] + data[end:]
    (tmp_path / "b.png").write_bytes(moved)
    assert np.array_equal(read_image(tmp_path / "b.png"), read_image(tmp_path / "a.png"))
    assert size_of(tmp_path / "b.png") == (160, 240)
