"""The camera of the demo and of oracles: known parameters, Pillow's own JPEG."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from wildsr.degradation.camera import KnownCamera, jpeg
from wildsr.error import UserError
from wildsr.network.degrader.camera import FLOOR, Camera

PLAIN = {"read": 0, "shot": 0, "jpeg_quality": None}


def photo(height=64, width=80):
    pixels = data.chelsea()[50 : 50 + height, 60 : 60 + width].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(
    ("major", "minor", "angle"), [(2.4, 1.4, 30), (2.0, 1.0, 150), (1.5, 1.2, 90)]
)
def test_the_kernel_has_its_widths_and_angle_and_is_centred(scale, major, minor, angle):
    kernel = KnownCamera(scale, major, minor, angle).kernel()[0].double()
    assert kernel.sum().item() == pytest.approx(1, abs=1e-6)
    taps = torch.arange(21.0).double() - 10 + (scale - 1) // 2 - (scale - 1) / 2
    y, x = torch.meshgrid(taps, taps, indexing="ij")
    assert (kernel * x).sum().item() == pytest.approx(0, abs=1e-3)
    assert (kernel * y).sum().item() == pytest.approx(0, abs=1e-3)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    along, across = x * cos + y * sin, y * cos - x * sin
    assert (kernel * along**2).sum().sqrt().item() == pytest.approx(major, rel=3e-3)
    assert (kernel * across**2).sum().sqrt().item() == pytest.approx(minor, rel=3e-3)
    assert (kernel * along * across).sum().item() == pytest.approx(0, abs=1e-2)


def test_a_learned_camera_can_be_the_known_one():
    known = KnownCamera(4, 2.4, 1.4, 30, read=4, shot=8)
    # [[a, 0], [b, c]] of the same covariance
    cos, sin = math.cos(math.radians(30)), math.sin(math.radians(30))
    turn = np.array([[cos, -sin], [sin, cos]])
    (a, _), (b, c) = np.linalg.cholesky(turn @ np.diag([2.4**2, 1.4**2]) @ turn.T)
    learned = Camera(4, read=4, shot=8)
    with torch.no_grad():
        learned.spread.copy_(torch.tensor([math.log(a - FLOOR), math.log(c - FLOOR)]))
        learned.shear.fill_(b)
    torch.testing.assert_close(learned.kernel(), known.kernel(), atol=1e-6, rtol=1e-4)
    assert learned.physical() == pytest.approx(known.physical(), rel=1e-5)
    levels = torch.linspace(0, 1, 5)
    torch.testing.assert_close(learned.noise_std(levels), known.noise_std(levels))
    hr, plain = photo(), KnownCamera(4, 2.4, 1.4, 30, **PLAIN)
    blurred = learned(hr, torch.zeros(1, 3, 16, 20))
    torch.testing.assert_close(plain(hr), blurred, atol=0.51 / 255, rtol=0)


@pytest.mark.parametrize("brightness", [0.25, 0.75])
def test_the_noise_has_its_level(brightness):
    torch.manual_seed(0)
    camera = KnownCamera(2, read=4, shot=8, jpeg_quality=None)
    noise = camera(torch.full((1, 3, 512, 512), brightness)) * 255 - brightness * 255
    expected = math.sqrt(16 + 64 * brightness + 1 / 12)  # and that of rounding
    assert noise.std().item() == pytest.approx(expected, rel=0.01)
    assert camera.noise_std(torch.tensor([0.0, brightness])).tolist() == pytest.approx(
        [4 / 255, math.sqrt(16 + 64 * brightness) / 255]
    )


def test_its_pictures_are_of_8_bits_and_without_gradient():
    hr = photo().requires_grad_()
    for quality in (None, 95):
        lr = KnownCamera(4, read=30, shot=30, jpeg_quality=quality)(hr)
        assert lr.shape == (1, 3, 16, 20)
        assert not lr.requires_grad
        torch.testing.assert_close(lr * 255, (lr * 255).round(), atol=1e-4, rtol=0)
        assert lr.min() >= 0
        assert lr.max() <= 1
    assert not list(KnownCamera(4).parameters())


def test_each_picture_has_noise_of_its_own():
    hr = photo().expand(2, 3, 64, 80)
    one, other = KnownCamera(4, jpeg_quality=None)(hr)
    assert not torch.equal(one, other)
    one, other = KnownCamera(4, **PLAIN)(hr)
    assert torch.equal(one, other)


def test_jpeg_is_pillows():
    images = torch.cat([photo(), photo().flip(-1)])
    for decoded, image in zip(jpeg(images, 80), images, strict=True):
        pixels = image.permute(1, 2, 0).mul(255).round().byte().numpy()
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=80, subsampling="4:4:4")
        expected = np.asarray(Image.open(file))
        assert np.array_equal(decoded.permute(1, 2, 0).mul(255).round().byte().numpy(), expected)


def test_jpeg_comes_close_and_closer_with_quality():
    image = photo()
    errors = [(jpeg(image, q) - image).abs().mean().item() * 255 for q in (30, 75, 95, 100)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1
    assert errors[-2] < 3
    assert errors[0] > 2 * errors[-1] > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"jpeg_quality": 0}, "`jpeg_quality` must be null or 1 to 100, but got 0"),
        ({"jpeg_quality": 101}, "`jpeg_quality` must be null or 1 to 100, but got 101"),
        ({"blur_minor": 0}, "`blur_major` and `blur_minor` must be above 0"),
        ({"shot": -1}, "`read` and `shot` 0 or more"),
        ({"kernel_size": 20}, "`kernel_size` must be an odd number, but got 20"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        KnownCamera(4, **wrong)
