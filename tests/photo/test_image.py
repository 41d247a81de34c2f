"""Image files as 8-bit RGB."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from wildsr.error import UserError
from wildsr.photo.image import TooLarge, UnreadableImage, one_channel, read_image
from wildsr.photo.stream import Photo

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
GRAYS = np.array([[0, 1, 128], [254, 255, 7]], np.uint8)


def _save(image, path, **options):
    image.save(path, **options)
    return path


def _photo(path, height=8, width=6, **options):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return _save(Image.fromarray(pixels), path, **options), pixels


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".PNG", ".webp"])
def test_lossless_rgb_comes_back_as_it_was(tmp_path, suffix):
    options = {"lossless": True} if suffix == ".webp" else {}
    path, pixels = _photo(tmp_path / f"a{suffix}", **options)
    read = read_image(path)
    np.testing.assert_array_equal(read, pixels)
    assert read.dtype == np.uint8
    assert read.flags.c_contiguous


def test_jpeg_is_decoded_by_content_whatever_its_suffix(tmp_path):
    Image.new("RGB", (16, 8), (200, 100, 50)).save(tmp_path / "a.png", format="JPEG", quality=100)
    np.testing.assert_allclose(read_image(tmp_path / "a.png")[0, 0], (200, 100, 50), atol=2)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_gray_is_repeated(tmp_path, suffix):
    path = _save(Image.fromarray(GRAYS), tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_image(path), np.repeat(GRAYS[..., None], 3, 2))


def test_one_bit(tmp_path):
    bits = np.array([[True, False], [False, True]])
    path = _save(Image.fromarray(bits), tmp_path / "a.png")
    assert Image.open(path).mode == "1"
    assert read_image(path)[..., 0].tolist() == [[255, 0], [0, 255]]


def _palette():
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata([0, 1, 2])
    return image


def test_palette(tmp_path):
    path = _save(_palette(), tmp_path / "a.png")
    assert Image.open(path).mode == "P"
    assert read_image(path).tolist() == [[[*RED], [*GREEN], [*BLUE]]]


@pytest.mark.parametrize("transparency", [1, bytes([255, 0, 255])])
def test_transparent_palette_entry_is_white(tmp_path, transparency):
    path = _save(_palette(), tmp_path / "a.png", transparency=transparency)
    assert read_image(path).tolist() == [[[*RED], [255, 255, 255], [*BLUE]]]


def test_alpha_is_composited_on_white(tmp_path):
    opaque, clear = [10, 20, 30, 255], [10, 20, 30, 0]
    pixels = np.array([[opaque, clear, [0, 255, 100, 102], [0, 100, 200, 1]]], np.uint8)
    path = _save(Image.fromarray(pixels), tmp_path / "a.png")
    # 102 / 255 = 0.4: 0.4 * (0, 255, 100) + 0.6 * 255 = (153, 255, 193)
    # 1 / 255: (254, 254.39, 254.78)
    expected = [[10, 20, 30], [255, 255, 255], [153, 255, 193], [254, 254, 255]]
    assert read_image(path).tolist() == [expected]


def test_gray_with_alpha(tmp_path):
    pixels = np.array([[[10, 255], [10, 0], [100, 102]]], np.uint8)
    path = _save(Image.fromarray(pixels), tmp_path / "a.png")
    assert Image.open(path).mode == "LA"
    assert read_image(path)[0].tolist() == [[10] * 3, [255] * 3, [193] * 3]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_transparent_colour_is_white(tmp_path, mode):
    values = np.array([[5, 6]], np.uint8)
    image = Image.fromarray(values).convert(mode)
    path = _save(image, tmp_path / "a.png", transparency=5 if mode == "L" else (5, 5, 5))
    assert read_image(path)[0].tolist() == [[255] * 3, [6] * 3]


@pytest.mark.parametrize("suffix", ["tif", "jpg"])
def test_cmyk_is_what_upscaling_sees(tmp_path, suffix):
    image = Image.new("CMYK", (24, 16))
    image.paste((0, 255, 255, 0), (0, 0, 8, 16))
    image.paste((0, 0, 0, 255), (8, 0, 16, 16))
    path = _save(image, tmp_path / f"a.{suffix}", quality=100)
    read = read_image(path)
    np.testing.assert_array_equal(read, _whole(Photo(path)))
    for column, colour in ((4, (237, 28, 36)), (12, (35, 31, 32)), (20, (255, 255, 255))):
        np.testing.assert_allclose(read[8, column], colour, atol=12)  # printed, and not of light


def _whole(photo):
    return photo.read(photo.height)


# round(v / 257): 128 is the last value of 0, 129 the first of 1.
DEEP = np.array([[0, 128, 129, 257], [32896, 65535, 65406, 65407]], np.uint16)
SHALLOW = [[0, 0, 1, 1], [128, 255, 254, 255]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_gray_is_scaled_with_rounding(tmp_path, suffix):
    path = _save(Image.fromarray(DEEP), tmp_path / f"a{suffix}")
    assert Image.open(path).mode == "I;16"
    assert read_image(path)[..., 1].tolist() == SHALLOW


def test_big_endian_16_bit_gray(tmp_path):
    image = Image.frombytes("I;16B", (4, 2), DEEP.astype(">u2").tobytes())
    path = _save(image, tmp_path / "a.tif")
    assert Image.open(path).mode == "I;16B"
    assert read_image(path)[..., 2].tolist() == SHALLOW


def test_16_bits_in_32_bit_pixels(tmp_path):
    path = _save(Image.fromarray(DEEP.astype(np.int32)), tmp_path / "a.tif")
    assert Image.open(path).mode == "I"
    assert read_image(path)[..., 0].tolist() == SHALLOW


@pytest.mark.parametrize("value", [-1, 65536])
def test_true_32_bit_pixels_are_shown_in_their_range(tmp_path, value):
    path = _save(Image.fromarray(np.array([[0, value]], np.int32)), tmp_path / "a.tif")
    assert sorted(read_image(path)[0, :, 0].tolist()) == [0, 255]
    assert (read_image(path)[0, 0, 0] == 0) == (value > 0)


def _png(width, height, depth, colour, rows, extra=b""):
    """A PNG by hand, for what Pillow does not write."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def test_16_bit_colour_is_rounded_as_gray_is(tmp_path):
    row = np.array([0x1234, 0xFF00, 0x00FF], ">u2").tobytes()
    (tmp_path / "a.png").write_bytes(_png(1, 1, 16, 2, [row]))
    # 4660 / 257 = 18.1, 65280 / 257 = 254.01, 255 / 257 = 0.99
    assert read_image(tmp_path / "a.png").tolist() == [[[18, 254, 1]]]


def test_16_bit_alpha_is_composited_before_it_is_rounded(tmp_path):
    row = np.array([0, 65535, 1000, 32768], ">u2").tobytes()
    (tmp_path / "a.png").write_bytes(_png(1, 1, 16, 6, [row]))
    # 32768 / 65535 of it, and the rest of white: 32767, 65535, 33267
    expected = [round(v / 257) for v in (32767, 65535, 33267)]
    assert read_image(tmp_path / "a.png").tolist() == [[expected]]


def test_transparent_16_bit_gray_is_white(tmp_path):
    row = np.array([257, 514], ">u2").tobytes()
    body = b"tRNS" + struct.pack(">H", 257)
    chunk = struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "a.png").write_bytes(_png(2, 1, 16, 0, [row], chunk))
    assert read_image(tmp_path / "a.png")[0].tolist() == [[255] * 3, [2] * 3]


# The upright photo is 0 1 2 / 3 4 5; what lies in the file, by EXIF tag 274.
UPRIGHT = [[0, 1, 2], [3, 4, 5]]
STORED = {
    1: [[0, 1, 2], [3, 4, 5]],
    2: [[2, 1, 0], [5, 4, 3]],
    3: [[5, 4, 3], [2, 1, 0]],
    4: [[3, 4, 5], [0, 1, 2]],
    5: [[0, 3], [1, 4], [2, 5]],
    6: [[2, 5], [1, 4], [0, 3]],
    7: [[5, 2], [4, 1], [3, 0]],
    8: [[3, 0], [4, 1], [5, 2]],
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".png", {}),
        (".webp", {"lossless": True}),
        (".tif", {}),
        (".tif", {"compression": "tiff_lzw"}),
    ],
)
def test_exif_orientation_is_carried_out(tmp_path, orientation, suffix, options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.array(STORED[orientation], np.uint8)).convert("RGB")
    path = _save(image, tmp_path / f"a{suffix}", exif=exif, **options)
    read = read_image(path)
    assert read[..., 0].tolist() == UPRIGHT
    assert read.flags.c_contiguous


def test_exif_orientation_of_a_jpeg(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = Image.new("RGB", (32, 16), RED)
    photo.paste(BLUE, (0, 0, 16, 16))
    read = read_image(_save(photo, tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0))
    assert read.shape == (32, 16, 3)  # rotated clockwise: the left half is on top now
    np.testing.assert_allclose(read[4, 8], BLUE, atol=2)
    np.testing.assert_allclose(read[28, 8], RED, atol=2)


@pytest.mark.parametrize(
    "tag",
    [
        struct.pack("<HHHI4sI", 1, 0x0112, 2, 4, b"abc", 0),  # a text for a number
        struct.pack("<HHHIII", 1, 0x0112, 3, 1, 99, 0),  # no such orientation
        b"garbage",
    ],
)
def test_broken_exif_is_ignored(tmp_path, tag):
    path = tmp_path / "a.jpg"
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + tag
    Image.new("RGB", (16, 8), RED).save(path, exif=exif)
    assert read_image(path).shape == (8, 16, 3)


@pytest.mark.parametrize(("suffix", "kind"), [(".png", "PNG"), (".webp", "WEBP"), (".png", "GIF")])
def test_first_frame_of_an_animation(tmp_path, suffix, kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, format=kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(path).n_frames == 3
    assert read_image(path)[4, 4].tolist() == [*RED]


def test_first_picture_of_a_phone_jpeg_with_two(tmp_path):
    pictures = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN)]
    path = tmp_path / "a.jpg"
    pictures[0].save(path, format="MPO", save_all=True, append_images=pictures[1:], quality=100)
    assert Image.open(path).format == "MPO"
    np.testing.assert_allclose(read_image(path)[8, 8], RED, atol=2)


def test_first_page_of_a_tiff(tmp_path):
    pages = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert read_image(tmp_path / "a.tif")[0, 0].tolist() == [*RED]


def _assert_unreadable(path, reason):
    with pytest.raises(UnreadableImage) as failure:
        read_image(path)
    message = str(failure.value)
    assert isinstance(failure.value, UserError)
    assert str(path) in message
    assert reason in message
    assert "\n" not in message
    assert message == f"Image {path} cannot be read: {failure.value.reason}."


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_truncated_files(tmp_path, suffix):
    path, _ = _photo(tmp_path / f"a{suffix}", 64, 64)
    data = path.read_bytes()
    for share in (0.3, 0.6, 0.95):
        path.write_bytes(data[: int(share * len(data))])
        _assert_unreadable(path, "")


def test_reasons(tmp_path):
    (tmp_path / "empty.png").touch()
    _assert_unreadable(tmp_path / "empty.png", "the file is empty")
    (tmp_path / "text.png").write_text("not a picture\n" * 20)
    _assert_unreadable(tmp_path / "text.png", "not an image")
    (tmp_path / "postscript.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    _assert_unreadable(tmp_path / "postscript.png", "not an image")
    _assert_unreadable(tmp_path / "missing.png", "No such file")


def test_damaged_checksum(tmp_path):
    path, _ = _photo(tmp_path / "a.png", 64, 64)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    _assert_unreadable(path, "")


def test_a_bomb_is_refused_by_its_header(tmp_path):
    row = b"\0" * (20000 // 8)
    (tmp_path / "a.png").write_bytes(_png(20000, 20000, 1, 0, [row] * 20000))
    assert os.path.getsize(tmp_path / "a.png") < 100_000
    with pytest.raises(TooLarge, match=r"20000 x 20000 pixels, more than `limit` .*200 mega") as e:
        read_image(tmp_path / "a.png")
    assert isinstance(e.value, UnreadableImage)
    assert e.value.reason.startswith("20000 x 20000 pixels")


@pytest.mark.heavy
@pytest.mark.filterwarnings("error")
def test_photos_above_pillows_own_limit_are_read(tmp_path):
    row = b"\xff" * (14000 // 8)
    (tmp_path / "a.png").write_bytes(_png(14000, 14000, 1, 0, [row] * 14000))  # 196 megapixels
    read = read_image(tmp_path / "a.png")
    assert read.shape == (14000, 14000, 3)
    assert read.min() == 255


def test_gray_files_are_known_by_their_header(tmp_path):
    pixels = np.full((4, 4), 100, np.uint8)
    for mode, gray in (("L", True), ("1", True), ("RGB", False), ("P", False)):
        path = tmp_path / f"{mode}.png"
        Image.fromarray(pixels).convert(mode).save(path)
        assert one_channel(path) == gray, mode
    Image.fromarray(pixels.astype(np.uint16) * 257).save(tmp_path / "16.png")
    assert one_channel(tmp_path / "16.png")
    Image.fromarray(np.dstack([pixels, pixels]), "LA").save(tmp_path / "LA.png")
    assert one_channel(tmp_path / "LA.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    assert not one_channel(tmp_path / "broken.png")
