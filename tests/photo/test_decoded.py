"""HEIC, AVIF and camera raw: in by their libraries, out for others to read."""

import io
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from wildsr.error import UserError
from wildsr.inference.file import Settings, upscale_file
from wildsr.photo.decoded import whole_range
from wildsr.photo.formats import format_of
from wildsr.photo.image import TooLarge, UnreadableImage, list_images, read_image
from wildsr.photo.stream import Photo

heif = pytest.importorskip("pillow_heif")
rawpy = pytest.importorskip("rawpy")


def smooth(height=64, width=96, dtype=np.uint8):
    y, x = np.mgrid[:height, :width]
    most = np.iinfo(dtype).max
    colours = [x / width, y / height, 0.5 + 0.4 * np.sin(x / 9)]
    return (np.stack(colours, -1) * most).astype(dtype)


def heic(path, pixels, **options):
    height, width, channels = pixels.shape
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels] + (";16" if pixels.dtype == np.uint16 else "")
    heif.from_bytes(mode, (width, height), pixels.tobytes()).save(path, quality=-1, **options)
    return path


def dng(path, orientation=1, height=64, width=96):
    """A raw file of a flat, gray scene, black at 512 and white at 16383."""
    sensor = np.full((height, width), 4000, np.uint16)
    sensor[:, width // 2 :] = 12000
    matrix = (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)
    tags = [
        (50706, 1, 4, b"\1\4\0\0", True),
        (33421, 3, 2, (2, 2), True),
        (33422, 1, 4, b"\0\1\1\2", True),
        (50714, 3, 1, 512, True),
        (50717, 4, 1, 16383, True),
        (50721, 10, 9, matrix, True),
        (50728, 5, 3, (1, 1, 1, 1, 1, 1), True),
        (50778, 3, 1, 21, True),
        (271, 2, None, "Maker", True),
        (272, 2, None, "Model", True),
        (50708, 2, None, "Maker Model", True),
        (274, 3, 1, orientation, True),
    ]
    tifffile.imwrite(path, sensor, photometric=32803, extratags=tags, metadata=None)
    return path


def by_ffmpeg(path):
    av = pytest.importorskip("av")
    with av.open(str(path)) as file:
        return next(file.decode(video=0)).to_ndarray(format="rgb24")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_heic_in(channels, tmp_path):
    pixels = np.dstack([smooth(), np.full((64, 96), 255, np.uint8)])[..., :channels]
    photo = Photo(heic(tmp_path / "a.jpg", pixels))
    assert (photo.format, photo.kind, photo.channels) == ("heic", "heic", channels)
    assert np.abs(photo.read(64).astype(int) - pixels).max() <= 8
    assert read_image(tmp_path / "a.jpg").shape == (64, 96, 3)


def test_more_than_eight_bits_of_heic_and_avif(nearest, tmp_path):
    pixels = smooth(dtype=np.uint16)
    pixels[:8], pixels[8:16] = 65535, 0
    heic(tmp_path / "a.heic", pixels)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "g.png")
    made = [upscale_file(nearest(2), tmp_path / "a.heic", tmp_path / "b.png")]
    for suffix in ("heic", "avif"):
        best = Settings(quality=100)
        made.append(upscale_file(nearest(2), made[0], tmp_path / f"c.{suffix}", best))
    for path in made:
        photo = Photo(path)
        found = photo.read(photo.height)
        assert found.dtype == np.uint16
        assert len(np.unique(found)) > 600  # more than 8 bits have
        assert found.max() == 65535  # and white is white
        assert np.abs(found[:12].astype(int) - 65535).max() < 700


def test_what_heic_keeps(exif, profile, nearest, tmp_path):
    for_upright = Image.Exif()
    for_upright.load(exif.tobytes())
    heic(tmp_path / "a.heic", smooth(), exif=for_upright.tobytes())
    photo = Photo(tmp_path / "a.heic")
    assert (photo.height, photo.width) == (96, 64)  # once, and not for EXIF's orientation again
    assert np.abs(photo.read(96).astype(int) - np.rot90(smooth(), -1)).mean() < 4
    assert photo.exif[0x010F] == "Maker"
    made = upscale_file(nearest(2), tmp_path / "a.heic", tmp_path / "b.heic")
    with Image.open(upscale_file(nearest(2), tmp_path / "a.heic", tmp_path / "b.jpg")) as image:
        assert image.getexif()[0x010F] == "Maker"
        assert image.getexif()[0x0112] == 1
    upright = np.rot90(smooth(), -1).repeat(2, 0).repeat(2, 1)
    assert np.abs(by_ffmpeg(made).astype(int) - upright).mean() < 8
    assert b"Maker" in heif.open_heif(made).info["exif"]
    png = tmp_path / "p.png"
    Image.fromarray(smooth()).save(png, icc_profile=profile)
    made = upscale_file(nearest(2), png, tmp_path / "p.heic")
    assert bytes(heif.open_heif(made).info["icc_profile"]) == profile


def test_avif_out_is_read_by_pillow(exif, profile, nearest, tmp_path):
    rgba = np.dstack([smooth(), np.full((64, 96), 255, np.uint8)])
    rgba[:, :30, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png", exif=exif, icc_profile=profile)
    made = upscale_file(nearest(2), tmp_path / "a.png", tmp_path / "b.avif")
    with Image.open(made) as image:
        assert image.format == "AVIF"
        assert image.size == (128, 192)  # turned upright
        assert image.info["icc_profile"] == profile
        assert image.getexif()[0x010F] == "Maker"
        assert np.asarray(image.convert("RGBA"))[..., 3].min() == 0


def test_formats_are_told_by_content(tmp_path):
    heic(tmp_path / "a", smooth())
    assert format_of(tmp_path / "a") == "heic"
    Image.fromarray(smooth()).save(tmp_path / "b", "AVIF")
    assert format_of(tmp_path / "b") == "avif"
    assert format_of(dng(tmp_path / "c")) == "raw"
    tifffile.imwrite(tmp_path / "d.dng", smooth())
    assert format_of(tmp_path / "d.dng") == "tiff"
    for magic in (b"IIRO\x08\0", b"FUJIFILMCCD-RAW 0201", b"II*\0\x10\0\0\0CR\2\0", b"\0MRM"):
        (tmp_path / "e").write_bytes(magic.ljust(200, b"\0"))
        assert format_of(tmp_path / "e") == "raw"
    (tmp_path / "f.heic").write_bytes(b"\0\0\0\x18ftypqt  " + bytes(200))
    with pytest.raises(ValueError, match="not an image"):
        format_of(tmp_path / "f.heic")
    names = ["a.heic", "b.HEIF", "c.dng", "d.NEF", "e.txt"]
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    assert [path.name for path in list_images(folder, "input")] == names[:-1]


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_raw_is_developed_upright(orientation, nearest, tmp_path):
    photo = Photo(dng(tmp_path / "a.jpg", orientation))
    assert (photo.kind, photo.dtype) == ("tif", np.uint16)
    pixels = photo.read(photo.height)
    assert pixels.shape == ((96, 64, 3) if orientation == 6 else (64, 96, 3))
    dark, light = ((value - 512) / (16383 - 512) for value in (4000, 12000))
    ends = [pixels[30, 10], pixels[-10, -10] if orientation == 6 else pixels[30, -10]]
    ends = ends[::-1] if orientation == 3 else ends
    for found, linear in zip(ends, (dark, light), strict=True):
        expected = (1.055 * linear ** (1 / 2.4) - 0.055) * 65535  # sRGB
        assert np.abs(found - expected).max() < 400
    made = upscale_file(nearest(2), tmp_path / "a.jpg", tmp_path / "b.tif")
    found = tifffile.imread(made)
    assert np.array_equal(found, pixels.repeat(2, 0).repeat(2, 1))
    with Image.open(io.BytesIO(made.read_bytes())) as image:
        assert image.getexif()[0x010F] == "Maker"
        assert image.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_cut_files_are_refused(share, tmp_path):
    for path in (heic(tmp_path / "a.heic", smooth()), dng(tmp_path / "a.dng")):
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(UnreadableImage) as refused:
            read_image(path)
        assert "\n" not in str(refused.value)


def test_limits(tmp_path):
    for path in (heic(tmp_path / "a.heic", smooth()), dng(tmp_path / "a.dng")):
        with pytest.raises(TooLarge):
            read_image(path, 0.001)


@pytest.mark.parametrize(("name", "package"), [("a.heic", "pillow_heif"), ("a.dng", "rawpy")])
def test_without_the_package_a_sentence_says_what_to_install(name, package, monkeypatch, tmp_path):
    path = heic(tmp_path / name, smooth()) if name == "a.heic" else dng(tmp_path / name)

    monkeypatch.setitem(sys.modules, package, None)  # importing it fails
    with pytest.raises(
        UserError, match=rf"needs the package {package}: pip install 'wildsr\[photo\]'"
    ):
        read_image(path)


def test_a_heic_s_profile_and_xmp_go_with_the_result(profile, nearest, tmp_path):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    heic(tmp_path / "a.heic", smooth(), icc_profile=profile, xmp=xmp)
    made = upscale_file(nearest(2), tmp_path / "a.heic", tmp_path / "b.jpg")
    with Image.open(made) as image:
        assert image.info["icc_profile"] == profile
        assert image.info["xmp"] == xmp.replace(b'"6"', b'"1"')


def test_gray_with_alpha_becomes_heic(nearest, tmp_path):
    gray = smooth()[..., 0]
    alpha = np.where(np.arange(96) < 48, 0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([gray, np.broadcast_to(alpha, gray.shape)])).save(tmp_path / "a.png")
    made = upscale_file(nearest(2), tmp_path / "a.png", tmp_path / "b.heic", Settings(quality=100))
    found = np.asarray(heif.open_heif(made)).astype(int)
    assert found.shape == (128, 192, 4)
    assert (found[:, :90, 3].max(), found[:, 102:, 3].min()) == (0, 255)
    shown = found[:, 102:, :3]
    assert np.abs(shown - gray.repeat(2, 0).repeat(2, 1)[:, 102:, None]).mean() < 4


def test_rows_are_read_in_pieces(tmp_path):
    path = heic(tmp_path / "a.heic", smooth())
    whole, pieces = Photo(path), Photo(path)
    parts = np.concatenate([pieces.read(n) for n in (1, 40, 23)])
    assert np.array_equal(parts, whole.read(64))


@pytest.mark.parametrize("bits", [1, 8, 10, 12, 16])
def test_the_whole_range_of_any_depth(bits):
    most = (1 << bits) - 1
    levels = np.arange(0, most + 1, max(most // 7, 1), dtype=np.uint16)
    found = whole_range(levels << (16 - bits), bits)
    assert np.array_equal(found, np.rint(levels / most * 65535).astype(np.uint16))
