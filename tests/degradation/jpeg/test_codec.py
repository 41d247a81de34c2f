"""Files by Pillow: the very pixels, one quality for each image, gradients passed on."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, features
from skimage import data

from wildsr.degradation.jpeg.codec import libjpeg, webp
from wildsr.error import UserError

needs_webp = pytest.mark.skipif(not features.check("webp"), reason="Pillow without WebP")


def photos(channels=3):
    pixels = np.stack([data.coffee()[90:130, 200:253], data.coffee()[290:330, 310:363]])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)[:, :channels].float() / 255


def by_pillow(image, form, **options):
    pixels = image.mul(255).round().byte().permute(1, 2, 0).numpy()
    mode = "L" if pixels.shape[2] == 1 else "RGB"
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze(2) if mode == "L" else pixels).save(file, form, **options)
    read = np.asarray(Image.open(file).convert(mode)).reshape(pixels.shape)
    return torch.from_numpy(read.copy()).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("subsampling", "number"), [("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)])
def test_libjpeg_is_pillows(channels, subsampling, number):
    images = photos(channels)
    made = libjpeg(images, torch.tensor([30.0, 85.2]), subsampling)
    for image, one, quality in zip(images, made, (30, 85), strict=True):
        # The sampling of gray files is not asked for, and changes nothing in them.
        options = {"subsampling": number} if channels == 3 else {}
        assert torch.equal(one, by_pillow(image, "JPEG", quality=quality, **options))
    assert torch.equal(libjpeg(images, 30, subsampling)[0], made[0])


@needs_webp
@pytest.mark.parametrize("channels", [1, 3])
def test_webp_is_pillows(channels):
    images = photos(channels)
    made = webp(images, torch.tensor([20.0, 80.0]))
    assert made.shape == images.shape
    for image, one, quality in zip(images, made, (20, 80), strict=True):
        assert torch.equal(one, by_pillow(image, "WEBP", quality=quality))
    errors = [(webp(images, quality) - images).square().mean() for quality in (5, 40, 95)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("codec", [libjpeg, pytest.param(webp, marks=needs_webp)])
def test_values_and_gradients(codec):
    images = (photos() * 1.2 - 0.1).requires_grad_()
    made = codec(images, 40)
    assert torch.equal(made, codec(images.detach().clamp(0, 1), 40))
    levels = made.detach() * 255
    assert (levels - levels.round()).abs().max() < 1e-4
    weight = torch.rand_like(images)
    (made * weight).sum().backward()
    assert torch.equal(images.grad, weight)
    coarse = codec(photos().bfloat16(), 40)
    assert coarse.dtype == torch.float32
    assert torch.equal(coarse, codec(photos().bfloat16().float(), 40))


def test_a_pillow_without_webp_is_told(monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: name != "webp")
    with pytest.raises(UserError, match="`webp` needs a Pillow with WebP support"):
        webp(photos(), 50)


@pytest.mark.parametrize(
    ("codec", "arguments", "message"),
    [
        (libjpeg, (photos(), 0), "`quality` must be 1 to 100, but got 0 for JPEG"),
        (libjpeg, (photos(), torch.tensor([50.0, 101.0])), "1 to 100, but got 101 for JPEG"),
        (libjpeg, (photos(), torch.tensor([50.0] * 3)), r"`quality` must be .*\(2,\)"),
        (libjpeg, (photos(), 50, "4:0:0"), "`subsampling` must be one of"),
        (libjpeg, (photos()[0], 50), "`image` must be"),
        (libjpeg, (photos(), float("nan")), "`quality` must be 1 to 100, but got nan"),
        pytest.param(
            webp, (photos(), -1), "must be 0 to 100, but got -1 for WEBP", marks=needs_webp
        ),
    ],
)
def test_mistakes_are_named(codec, arguments, message):
    with pytest.raises(UserError, match=message):
        codec(*arguments)
