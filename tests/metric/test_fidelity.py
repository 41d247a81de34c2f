"""PSNR and SSIM against hand numbers, scikit-image and the benchmark's published figures."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from wildsr.error import UserError
from wildsr.metric.fidelity import psnr, ssim
from wildsr.pixels import luma, round8, studio_luma


def photos(seed=0, batch=1, size=(24, 31)):
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(batch, 3, *size, generator=generator)
    noise = 0.1 * torch.randn(target.shape, generator=generator)
    return (target + noise).clamp(0, 1), target


def as_array(image):
    return (image[0].permute(1, 2, 0).double().numpy() * 255).round()


def test_round8_clamps_and_rounds():
    levels = round8(torch.tensor([-0.2, 0.0, 0.4 / 255, 0.6 / 255, 254.9 / 255, 1.7]))
    assert levels.tolist() == [0, 0, 0, 1, 255, 255]


def test_luma_is_matlabs():
    # rgb2ycbcr of white, black, red, green, blue, times 255
    rgb = torch.tensor([[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).double()
    expected = torch.tensor([235.0, 16.0, 81.481, 144.553, 40.966]).double()
    torch.testing.assert_close(studio_luma(rgb[:, :, None, None]).flatten(), expected)


def test_psnr_of_one_level_everywhere():
    target = torch.full((1, 3, 12, 12), 100 / 255)
    prediction = torch.full((1, 3, 12, 12), 101 / 255)
    assert psnr(prediction, target, 0, "rgb").item() == pytest.approx(20 * math.log10(255))
    step = 219 / 255  # what one grey level is worth in studio swing
    assert psnr(prediction, target, 0, "y").item() == pytest.approx(20 * math.log10(255 / step))


def test_rounding_hides_less_than_half_a_level():
    target = torch.full((1, 3, 12, 12), 100 / 255)
    assert psnr(target + 0.4 / 255, target, 0, "rgb").item() == math.inf
    assert psnr(target + 0.6 / 255, target, 0, "rgb").item() < 50


@pytest.mark.parametrize("channel", ["rgb", "y"])
def test_identical_images(channel):
    image, _ = photos(batch=2)
    assert psnr(image, image, 0, channel).tolist() == [math.inf, math.inf]
    torch.testing.assert_close(ssim(image, image, 0, channel), torch.ones(2).double())


@pytest.mark.parametrize("border", [0, 3])
def test_rgb_equals_scikit_image(border):
    prediction, target = photos()
    x, y = as_array(prediction), as_array(target)
    kept = (slice(border, 24 - border), slice(border, 31 - border))
    x, y = x[kept], y[kept]
    reference = peak_signal_noise_ratio(y, x, data_range=255)
    assert psnr(prediction, target, border, "rgb").item() == pytest.approx(reference, abs=1e-6)
    reference = structural_similarity(
        y,
        x,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1,
    )
    assert ssim(prediction, target, border, "rgb").item() == pytest.approx(reference, abs=1e-6)


def test_y_equals_scikit_image():
    prediction, target = photos(seed=1)
    x, y = (as_array(i) @ [65.481, 128.553, 24.966] / 255 + 16 for i in (prediction, target))
    x, y = x[2:-2, 2:-2], y[2:-2, 2:-2]
    reference = peak_signal_noise_ratio(y, x, data_range=255)
    assert psnr(prediction, target, 2, "y").item() == pytest.approx(reference, abs=1e-6)
    reference = structural_similarity(
        y, x, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert ssim(prediction, target, 2, "y").item() == pytest.approx(reference, abs=1e-6)


def test_each_image_of_a_batch_has_its_own_value():
    prediction, target = photos(batch=2)
    alone = [psnr(prediction[i : i + 1], target[i : i + 1], 1, "y").item() for i in range(2)]
    assert psnr(prediction, target, 1, "y").tolist() == alone
    assert alone[0] != alone[1]


@settings(deadline=None, max_examples=15)
@given(shift=st.integers(1, 60), border=st.integers(0, 4))
def test_psnr_of_a_constant_shift(shift, border):
    target = torch.full((1, 3, 12, 12), 120 / 255)
    value = psnr(target + shift / 255, target, border, "rgb").item()
    assert value == pytest.approx(20 * math.log10(255 / shift))


def test_border_pixels_do_not_count():
    _, target = photos()
    prediction = target.clone()
    prediction[..., :2, :] = 0
    prediction[..., -1] = 0
    assert psnr(prediction, target, 2, "rgb").item() == math.inf
    assert psnr(prediction, target, 1, "rgb").item() < 30


def test_half_precision_is_measured():
    prediction, target = photos()
    value = ssim(prediction.bfloat16(), target, 0, "rgb").item()
    assert value == pytest.approx(ssim(prediction, target, 0, "rgb").item(), abs=1e-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channel": "yy"}, "Did you mean 'y'"),
        ({"border": -1}, "border"),
        ({"prediction": torch.rand(1, 3, 24, 30)}, "size of `target`"),
        ({"prediction": torch.full((1, 3, 24, 31), math.nan)}, "`prediction` must hold finite"),
        ({"target": torch.full((1, 3, 24, 31), math.inf)}, "`target` must hold finite"),
        (
            {"target": torch.full((1, 3, 24, 31), 200, dtype=torch.uint8)},
            "`target` must hold floats",
        ),
        ({"border": 8}, "8 x 15"),
    ],
)
def test_mistakes(change, message):
    prediction, target = photos()
    arguments = {
        "prediction": prediction,
        "target": target,
        "border": 0,
        "channel": "rgb",
        **change,
    }
    with pytest.raises(UserError, match=message):
        ssim(**arguments)


def test_gray_is_its_own_y_and_no_rgb():
    x, y = torch.rand(2, 2, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    colour = [image.expand(-1, 3, -1, -1) for image in (x, y)]
    assert torch.equal(psnr(x, y, 0, "y"), psnr(*colour, 0, "rgb"))
    torch.testing.assert_close(ssim(x, y, 2, "y"), ssim(*colour, 2, "rgb"))
    with pytest.raises(UserError, match=r"\(B, 3, H, W\), but got \(2, 1, 24, 24\)"):
        psnr(x, y, 0, "rgb")
    two = torch.rand(1, 2, 24, 24)
    with pytest.raises(UserError, match=r"\(B, 3, H, W\) or \(B, 1, H, W\)"):
        psnr(two, two, 0, "y")


def test_full_luma_keeps_gray_to_the_last_bit():
    gray = torch.arange(256).double().reshape(1, 1, 16, 16)
    assert torch.equal(luma(gray.expand(-1, 3, -1, -1)), gray)
    primaries = torch.eye(3).double()[:, :, None, None]
    torch.testing.assert_close(
        luma(primaries).flatten(), torch.tensor([0.299, 0.587, 0.114]).double()
    )


def test_one_pixel():
    black, gray = torch.zeros(1, 3, 1, 1), torch.full((1, 3, 1, 1), 51 / 255)
    assert psnr(gray, black, 0, "rgb").item() == pytest.approx(20 * math.log10(255 / 51))
    with pytest.raises(UserError, match="at least 11 x 11"):
        ssim(gray, black, 0, "rgb")
