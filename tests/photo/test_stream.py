"""Every kind of file as rows of pixels: depth, channels, orientation, and what is refused."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from wildsr.error import UserError
from wildsr.photo import rows as reading
from wildsr.photo import stream
from wildsr.photo.image import UnreadableImage, read_image
from wildsr.photo.rows import Ahead
from wildsr.photo.stream import Photo, size_of
from wildsr.photo.vips import pyvips


def whole(photo, step=3):
    """All rows, a few at a time."""
    parts = [photo.read(min(step, photo.height - row)) for row in range(0, photo.height, step)]
    return np.concatenate(parts)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "webp"])
def test_colour(suffix, noise, tmp_path):
    path, pixels = tmp_path / f"a.{suffix}", noise(11, 7)
    Image.fromarray(pixels).save(path, **({"lossless": True} if suffix == "webp" else {}))
    photo = Photo(path)
    assert (photo.height, photo.width, photo.channels, photo.dtype) == (11, 7, 3, np.uint8)
    assert np.array_equal(whole(photo), pixels)
    assert photo.kind == {"bmp": "png"}.get(suffix, suffix)
    assert size_of(path) == (7, 11)


def test_jpeg_is_pillows(noise, tmp_path):
    Image.fromarray(np.kron(noise(4, 5), np.ones((8, 8, 1), np.uint8))).save(
        tmp_path / "a.jpg", quality=95, subsampling=0
    )
    found = whole(Photo(tmp_path / "a.jpg")).astype(int)
    assert np.abs(found - read_image(tmp_path / "a.jpg")).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_depths_and_channels(suffix, channels, dtype, noise, tmp_path):
    path, pixels = str(tmp_path / f"a.{suffix}"), noise(9, 8, channels, dtype)
    spaces = ("b-w", "srgb") if dtype == np.uint8 else ("grey16", "rgb16")
    image = pyvips.Image.new_from_array(pixels).copy(interpretation=spaces[channels > 2])
    image.write_to_file(path)
    photo = Photo(path)
    assert (photo.channels, photo.dtype) == (channels, dtype)
    assert np.array_equal(whole(photo), pixels)


def test_palettes_and_bits_become_what_they_show(noise, tmp_path):
    palette = Image.fromarray(noise(9, 8)).quantize(16)
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(
        whole(Photo(tmp_path / "palette.png")), np.asarray(palette.convert("RGB"))
    )
    palette.save(tmp_path / "hole.png", transparency=3)
    assert Photo(tmp_path / "hole.png").channels == 4
    palette.save(tmp_path / "a.gif")
    assert Photo(tmp_path / "a.gif").channels == 3
    bits = Image.fromarray(noise(9, 8, 1)[..., 0]).convert("1")
    bits.save(tmp_path / "bits.png")
    photo = Photo(tmp_path / "bits.png")
    assert photo.channels == 1
    assert np.array_equal(whole(photo)[..., 0], np.asarray(bits.convert("L")))


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_becomes_srgb_with_a_profile(suffix, tmp_path):
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[:, 4:, :3] = (0, 255, 255)  # no ink, and red
    Image.fromarray(ink, "CMYK").save(tmp_path / f"a.{suffix}", **{"quality": 100})
    photo = Photo(tmp_path / f"a.{suffix}")
    pixels = whole(photo).astype(int)
    assert photo.channels == 3
    assert pixels[0, 0].min() > 250
    assert pixels[0, 7, 0] > 200
    assert pixels[0, 7, 1:].max() < 90
    assert b"RGB " in photo.blobs["icc-profile-data"][:20]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_orientation_is_carried_out(orientation, suffix, noise, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.kron(noise(3, 5), np.ones((8, 8, 1), np.uint8))
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(
        path, exif=exif, **({"lossless": True} if suffix == "webp" else {})
    )
    photo = Photo(path)
    found = whole(photo).astype(int)
    assert found.shape == read_image(path).shape
    assert np.abs(found - read_image(path)).max() <= (1 if suffix == "jpg" else 0)


def test_what_is_refused(noise, tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("<svg><image href='file:///etc/passwd'/></svg>")
    Image.fromarray(noise(64, 64)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])
    Image.fromarray(noise(64, 64)).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:1500])
    reasons = {
        "missing.png": "No such file",
        "empty.png": "empty",
        "text.png": "not an image",
        "cut.png": "ends early",
        "cut.jpg": "ends early",
    }
    for name, reason in reasons.items():
        with pytest.raises(UnreadableImage, match=reason) as refused:
            whole(Photo(tmp_path / name))
        assert "\n" not in str(refused.value)
        assert str(tmp_path / name) in str(refused.value)


def bomb(path, side):
    """A black PNG of side x side pixels in a few kilobytes."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    black = zlib.compress(bytes((1 + side // 8) * side), 9)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", black) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def test_a_bomb_is_refused_by_its_header(tmp_path):
    bomb(tmp_path / "bomb.png", 20000)
    assert (tmp_path / "bomb.png").stat().st_size < 100_000
    with pytest.raises(UserError, match=r"20000 x 20000 pixels, more than `limit` .*200 mega"):
        Photo(tmp_path / "bomb.png", limit=200)
    photo = Photo(tmp_path / "bomb.png", limit=400)
    assert photo.read(2).max() == 0


def test_reading_ahead_gives_the_same_rows_and_errors(rows, noise):
    pixels = noise(50, 7)
    ahead = Ahead(rows(pixels))
    ahead._chunk = 3
    assert np.array_equal(whole(ahead, 11), pixels)
    ahead.close()

    class Failing(type(rows(pixels))):
        def read(self, count):
            raise UserError("broken")

    failing = Ahead(Failing(pixels))
    with pytest.raises(UserError, match="broken"):
        failing.read(5)
    failing.close()


def test_reading_ahead_can_be_given_up(rows, noise, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 1000)
    source = rows(noise(4000, 1000, 1))
    ahead = Ahead(source)
    ahead.close()
    assert source.row < 4000
    assert not ahead._thread.is_alive()


def test_a_strange_revision_in_a_jpeg_s_header_is_borne(noise, tmp_path):
    """libjpeg warns of it as of damage; rows that were read before and after are right."""
    Image.fromarray(noise(300, 64)).save(tmp_path / "a.jpg", quality=90)
    data = bytearray((tmp_path / "a.jpg").read_bytes())
    expected = whole(Photo(tmp_path / "a.jpg"))
    data[data.index(b"JFIF\0") + 5] = 3
    (tmp_path / "b.jpg").write_bytes(data)
    assert np.array_equal(whole(Photo(tmp_path / "b.jpg")), expected)
    photo = Photo(tmp_path / "b.jpg")
    assert np.array_equal(np.concatenate([photo.read(n) for n in (100, 150, 50)]), expected)
    (tmp_path / "c.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadableImage):
        whole(Photo(tmp_path / "c.jpg"))


def test_a_format_that_libvips_was_built_without_says_so(noise, tmp_path, monkeypatch):
    Image.fromarray(noise(16, 16)).save(tmp_path / "a.avif")
    monkeypatch.setattr(stream.pyvips, "type_find", lambda *names: 0)
    with pytest.raises(UnreadableImage, match="AVIF is not among what the installed libvips reads"):
        Photo(tmp_path / "a.avif")
