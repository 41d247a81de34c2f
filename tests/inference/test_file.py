"""One photo to one file: formats, sizes, depth, alpha, and nothing half-written."""

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wildsr.error import UserError
from wildsr.inference import alpha
from wildsr.inference.file import Settings, upscale_file
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.encode import Encoder
from wildsr.photo.stream import Photo
from wildsr.photo.vips import pyvips


def save(path, pixels):
    spaces = ("b-w", "srgb") if pixels.dtype == np.uint8 else ("grey16", "rgb16")
    image = pyvips.Image.new_from_array(pixels).copy(interpretation=spaces[pixels.shape[2] > 2])
    image.write_to_file(str(path))
    return path


def load(path):
    photo = Photo(path)
    return photo.read(photo.height)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_kind_stays_what_it_is(suffix, channels, dtype, noise, nearest, tmp_path):
    pixels = noise(37, 21, channels, dtype)
    if channels in (2, 4):
        pixels[..., -1] = np.iinfo(dtype).max
    source = save(tmp_path / f"a.{suffix}", pixels)
    found = load(upscale_file(nearest(2), source, tmp_path / f"b.{suffix}"))
    assert found.dtype == dtype
    assert np.array_equal(found, pixels.repeat(2, axis=0).repeat(2, axis=1))


def test_depth_goes_with_the_format(noise, nearest, tmp_path):
    deep = save(tmp_path / "deep.png", noise(9, 8, 3, np.uint16))
    flat = save(tmp_path / "flat.png", noise(9, 8))
    up = nearest(1)
    eight = load(upscale_file(up, deep, tmp_path / "a.png", Settings(depth=8)))
    assert eight.dtype == np.uint8
    assert np.abs(eight.astype(float) - load(deep) / 257).max() <= 0.5
    sixteen = load(upscale_file(up, flat, tmp_path / "b.tif", Settings(depth=16)))
    assert np.array_equal(sixteen, load(flat).astype(np.uint16) * 257)
    assert load(upscale_file(up, deep, tmp_path / "c.jpg")).dtype == np.uint8
    with pytest.raises(UserError, match="`depth`: webp has 8 bits"):
        upscale_file(up, deep, tmp_path / "d.webp", Settings(depth=16))


@pytest.mark.parametrize("format", ["npy", "npz", "dcm"])
def test_an_ordinary_photo_is_no_measured_values(noise, nearest, tmp_path, format):
    source = save(tmp_path / "a.png", noise(4, 4))
    with pytest.raises(UserError, match=f"{format} holds measured values, but a.png .* png, jpg"):
        upscale_file(nearest(2), source, tmp_path / f"b.{format}")
    with pytest.raises(UserError, match=r"a\.png is an ordinary photo, whose result has 8 or 16"):
        upscale_file(nearest(2), source, tmp_path / "b.tif", Settings(depth="float"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png"]


def test_quality(fill, nearest, tmp_path):
    fill(tmp_path, 1, (64, 64))
    for suffix in ("jpg", "webp"):
        sizes = [
            upscale_file(
                nearest(2), tmp_path / "photo0.png", tmp_path / f"r.{suffix}", Settings(quality=q)
            )
            .stat()
            .st_size
            for q in (20, 60, 95)
        ]
        assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(("scale", "outscale"), [(3, 2.5), (2, 1), (1, 1), (1, 3), (4, 0.5)])
def test_other_factors(scale, outscale, nearest, tmp_path):
    pixels = np.full((41, 30, 3), (10, 128, 250), np.uint8)
    source = save(tmp_path / "a.png", pixels)
    found = load(upscale_file(nearest(scale), source, tmp_path / "b.png", Settings(outscale)))
    assert found.shape == (round(41 * outscale), round(30 * outscale), 3)
    assert np.array_equal(np.unique(found.reshape(-1, 3), axis=0), [(10, 128, 250)])


def test_resizing_is_antialiased(nearest, tmp_path):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    source = save(tmp_path / "a.png", stripes)
    found = load(upscale_file(nearest(1), source, tmp_path / "b.png", Settings(outscale=0.25)))
    assert np.abs(found[:, 2:-2].astype(int) - 128).max() < 12


def test_alpha_has_no_fringe(nearest, tmp_path):
    """A red disc on transparent green: no green, at any size."""
    y, x = np.mgrid[:48, :48]
    inside = (y - 24) ** 2 + (x - 24) ** 2 < 300
    pixels = np.zeros((48, 48, 4), np.uint8)
    pixels[...] = (0, 255, 0, 0)
    pixels[inside] = (255, 0, 0, 255)
    source = save(tmp_path / "a.png", pixels)
    for outscale in (None, 1.5, 3):
        target = upscale_file(nearest(2), source, tmp_path / "b.png", Settings(outscale))
        found = load(target).astype(float)
        seen = found[..., 3] > 0
        assert found[seen][:, 1].max() <= 1
        assert found[seen][:, 0].min() >= 254
        assert 0.9 < seen.mean() / inside.mean() < 1.3
    flat = load(upscale_file(nearest(2), source, tmp_path / "b.jpg")).astype(int)
    assert flat.shape == (96, 96, 3)
    assert flat[0, 0].min() >= 250  # white


def test_filling_carries_colours_outwards():
    colour, opacity = torch.zeros(1, 3, 1, 40), torch.zeros(1, 1, 1, 40)
    colour[..., :4], opacity[..., :4] = 0.25, 1.0
    colour[:, :, :, 20:] = 0.9  # invisible
    filled = alpha.fill(colour, opacity)
    assert torch.allclose(filled[..., :19], torch.tensor(0.25), atol=1e-6)
    assert filled[..., 19:].abs().max() == 0  # out of reach, and not 0.9
    half = alpha.fill(colour, torch.full_like(opacity, 0.5))
    assert torch.equal(half, colour)


def test_formats_that_are_too_small(noise, nearest, tmp_path):
    source = save(tmp_path / "a.png", noise(1, 5000, 1))
    with pytest.raises(UserError, match=r"webp holds up to 16383 pixels a side, .*20000 x 4"):
        upscale_file(nearest(4), source, tmp_path / "b.webp")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png"]


def test_names_and_formats_that_differ(noise, nearest, tmp_path):
    source = save(tmp_path / "a.png", noise(4, 4))
    with pytest.raises(UserError, match=r"`format` is 'webp', but the result is called .*b.png"):
        upscale_file(nearest(2), source, tmp_path / "b.png", Settings(format="webp"))
    with pytest.raises(UserError, match=r"`format` must be one of .*'gif'"):
        upscale_file(nearest(2), source, tmp_path / "b.gif")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"outscale": 0}, "`outscale`"),
        ({"format": "gif"}, "Did you mean 'tif'"),
        ({"quality": 0}, "`quality`"),
        ({"depth": 12}, "`depth`"),
        ({"limit": 0}, "`limit`"),
    ],
)
def test_settings_that_cannot_be(values, message):
    with pytest.raises(UserError, match=message):
        Settings(**values)


# Nothing half-written --------------------------------------------------------------------------


def test_a_failure_leaves_nothing_and_spares_what_was_there(noise, nearest, tmp_path):
    Image.fromarray(noise(200, 200)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:40000])
    target = tmp_path / "out" / "r.png"
    with pytest.raises(UserError, match="ends early"):
        upscale_file(nearest(2), tmp_path / "cut.png", target)
    assert not list(tmp_path.glob("out/*"))
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"precious")
    with pytest.raises(UserError):
        upscale_file(nearest(2), tmp_path / "cut.png", target)
    assert target.read_bytes() == b"precious"
    assert [p.name for p in target.parent.iterdir()] == ["r.png"]


def test_an_error_of_the_caller_stops_the_work(noise, nearest, tmp_path):
    source = save(tmp_path / "a.png", noise(300, 40))

    def stop(done, whole):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscale_file(nearest(2), source, tmp_path / "b.png", progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_an_encoder_that_fails_ends_the_work(noise, nearest, tmp_path, monkeypatch):
    source = save(tmp_path / "a.png", noise(300, 40))

    def failing(self):
        self.failure = OSError("disk full")
        self.feed.ended.set()

    monkeypatch.setattr(Encoder, "_work", failing)
    with pytest.raises(UserError, match="cannot be written: disk full"):
        upscale_file(nearest(2), source, tmp_path / "b.png")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_folder_that_cannot_be_written_to(noise, nearest, tmp_path):
    source = save(tmp_path / "a.png", noise(4, 4))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        upscale_file(nearest(2), source, tmp_path / "file" / "b.png")


def test_texts_of_a_png_come_along_to_the_bit(tmp_path):
    said = PngInfo()
    said.add_text("Title", "Rose \xdf")
    said.add_itxt("Comment", "\u96ea", "ja", "Kommentar")
    said.add_text("Software", "x" * 500, zip=True)
    said.add_text("Raw profile type exif", "damaged")
    Image.new("RGB", (6, 5), (9, 99, 199)).save(tmp_path / "in.png", pnginfo=said)
    network = torch.nn.Upsample(scale_factor=2)
    nearest = Upscaler(network, network, 2, "nearest")
    upscale_file(nearest, tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as made:
        made.load()
        assert made.size == (12, 10)
        assert dict(made.text) == {"Title": "Rose \xdf", "Comment": "\u96ea", "Software": "x" * 500}
        assert made.text["Comment"].lang == "ja"


def test_a_resolution_that_cannot_be_is_left_out(tmp_path, capfd):
    Image.new("RGB", (6, 5)).save(tmp_path / "in.tif", dpi=(7e7, 7e7))
    network = torch.nn.Upsample(scale_factor=2)
    nearest = Upscaler(network, network, 2, "nearest")
    upscale_file(nearest, tmp_path / "in.tif", tmp_path / "out.png")
    assert capfd.readouterr().err == ""
    assert Image.open(tmp_path / "out.png").info["dpi"][0] == pytest.approx(72, abs=1)
