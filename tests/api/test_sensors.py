"""Arrays of any number of channels and depth through the Python door: the same type comes out."""

import numpy as np
import pytest
import torch
from torch import nn

import wildsr
from wildsr.api.degradation import Degradation
from wildsr.api.upscaler import Upscaler
from wildsr.inference import upscaler as inference
from wildsr.photo.sensor import Sensor

DRAW = np.random.default_rng(0)


class Nearest(nn.Module):
    """Repeats pixels; takes so many channels and no others."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, lr):
        assert lr.shape[1] == self.channels
        return lr.repeat_interleave(2, -2).repeat_interleave(2, -1)


@pytest.fixture
def upscaler():
    def make(channels, sensor=None):
        network = Nearest(channels)
        kind = sensor or Sensor(channels)
        return Upscaler(inference.Upscaler(network, network, 2, "it", tile=16, sensor=kind))

    return make


def grown(pixels):
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
def test_channels_of_the_sensor(channels, dtype, upscaler):
    pixels = DRAW.random((20, 23, channels))
    pixels = (pixels * (np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1)).astype(dtype)
    made = upscaler(channels).upscale(pixels)
    assert made.dtype == dtype
    assert np.allclose(made, grown(pixels), rtol=1e-3 if dtype == np.float16 else 1e-6)
    if np.dtype(dtype).kind == "u":
        assert np.array_equal(made, grown(pixels))
        more = np.concatenate([pixels, np.full_like(pixels[..., :1], np.iinfo(dtype).max)], -1)
        if channels not in (1, 3, 2, 4):
            assert np.array_equal(upscaler(channels).upscale(more), grown(more)), "with alpha"


def test_gray_is_two_axes_and_tensors_have_any_channels(upscaler):
    gray = (DRAW.random((20, 23)) * 65535).astype(np.uint16)
    assert np.array_equal(upscaler(1).upscale(gray), grown(gray))
    tensor = torch.rand(2, 6, 10, 12)
    made = upscaler(6).upscale(tensor)
    assert torch.allclose(made, tensor.repeat_interleave(2, -1).repeat_interleave(2, -2))
    assert upscaler(6).upscale(tensor[0].double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("sensor", "dtype", "low", "high"),
    [
        (Sensor(1, "16", lr=(0.0, 4095.0), hr=(0.0, 4095.0)), np.uint16, 0, 4000),
        (Sensor(5, "float", lr=(270.0, 310.0), hr=(270.0, 310.0)), np.float32, 271, 309),
        (Sensor(5, "float", lr=(270.0, 310.0), hr=(270.0, 310.0)), np.float64, 100, 900),
        (Sensor(2, "float", lr=(-50.0, 50.0), hr=(-50.0, 50.0)), np.int16, -90, 90),
    ],
    ids=["12 of 16 bits", "floats", "beyond the range", "whole numbers"],
)
def test_arrays_are_in_the_numbers_of_the_sensor(sensor, dtype, low, high, upscaler):
    pixels = (DRAW.random((20, 24, sensor.channels)) * (high - low) + low).astype(dtype)
    made = upscaler(sensor.channels, sensor).upscale(pixels)
    assert made.dtype == dtype
    if low > sensor.span()[0] or high < sensor.span()[1]:
        assert np.allclose(made, grown(pixels), rtol=1e-5, atol=1e-3)
    else:  # what lies outside is enlarged linearly, and not lost
        assert made.max() > high - 0.1 * (high - low)
        assert made.min() < low + 0.1 * (high - low)
    assert abs(float(made.mean()) - float(pixels.mean())) < 0.01 * (high - low)


def test_nan_stays_where_it_is(upscaler):
    sensor = Sensor(2, "float", lr=(0.0, 10.0), hr=(0.0, 10.0))
    pixels = (DRAW.random((12, 14, 2)) * 10).astype(np.float32)
    pixels[3:5, 4:6] = np.nan
    made = upscaler(2, sensor).upscale(pixels)
    assert np.array_equal(np.isnan(made), grown(np.isnan(pixels)))


def test_more_channels_than_a_photo_network_takes_go_one_by_one(upscaler):
    pixels = (DRAW.random((12, 14, 6)) * 65535).astype(np.uint16)
    for own in (1, 3):
        assert np.array_equal(upscaler(own).upscale(pixels), grown(pixels))


@pytest.mark.parametrize(
    ("own", "shape", "said"),
    [
        (5, (9, 9, 3), r"`image` must have 5 channels, as .* it has learned from, but got 3"),
        (5, (9, 9), r"`image` must have 5 channels, .* but got 1"),
        (3, (9, 9, 2), r"`image` must have 1 or 3 channels, .* but got 2"),
        (3, (9, 9, 4), r"`image` must have 1 or 3 channels, .* but got 4"),
    ],
)
def test_other_channels_are_one_sentence(own, shape, said, upscaler):
    with pytest.raises(wildsr.UserError, match=said):
        upscaler(own).upscale(np.zeros(shape, np.float32))
    with pytest.raises(wildsr.UserError, match="`image` must be a numpy array"):
        upscaler(own).upscale("a.png")


class Mean(nn.Module):
    """Each LR pixel is the mean of its block; takes so many channels and no others."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, hr):
        assert hr.shape[1] == self.channels
        return nn.functional.avg_pool2d(hr, 2)


def blocks(pixels):
    height, width, count = pixels.shape
    return pixels.astype(np.float64).reshape(height // 2, 2, width // 2, 2, count).mean((1, 3))


@pytest.mark.parametrize(
    ("sensor", "dtype"),
    [(Sensor(1, "16"), np.uint16), (Sensor(5, "float"), np.float32), (Sensor(3), np.uint16)],
)
def test_degradations_of_a_sensor(sensor, dtype):
    degrade = Degradation(Mean(sensor.channels), 2, sensor)
    most = 65535 if dtype == np.uint16 else 1
    pixels = (DRAW.random((12, 16, sensor.channels)) * most).astype(dtype)
    made = degrade(pixels)
    assert made.dtype == dtype
    assert np.abs(made - blocks(pixels)).max() <= (0.51 if dtype == np.uint16 else 1e-6)
    tensor = torch.rand(sensor.channels, 12, 16)
    assert degrade(tensor).shape == (sensor.channels, 6, 8)


def test_degradations_between_the_ranges_of_a_sensor():
    sensor = Sensor(2, "float", lr=(100.0, 200.0), hr=(0.0, 10.0))
    pixels = (DRAW.random((12, 16, 2)) * 10).astype(np.float64)
    made = Degradation(Mean(2), 2, sensor)(pixels)
    assert np.allclose(made, 100 + 10 * blocks(pixels), atol=1e-3)
    with pytest.raises(wildsr.UserError, match=r"`hr` must have 5 channels, as .* but got 3"):
        Degradation(Mean(5), 2, Sensor(5))(np.zeros((8, 8, 3)))


@pytest.mark.parametrize("name", ["bicubic", "mild", "realesrgan", "stripes"])
@pytest.mark.parametrize("channels", [1, 2, 3, 7])
def test_known_degradations_of_any_channels(name, channels):
    pixels = (DRAW.random((32, 40, channels)) * 65535).astype(np.uint16)
    made = wildsr.Pipeline(name, scale=2)(pixels, seed=0)
    assert (made.shape, made.dtype) == ((16, 20, channels), np.uint16)
    if name in ("bicubic", "stripes"):  # the others may end with JPEG
        assert (made % 257).any(), "more levels than those of 8 bits"


def test_metrics_of_other_channels_and_depths():
    truth = (DRAW.random((96, 96, 5)) * 0.8).astype(np.float32)
    off = truth + np.float32(1e-4)
    assert wildsr.psnr(off, truth) == pytest.approx(80, abs=0.1), "not rounded to 8 bits"
    assert wildsr.ssim(off, truth) > 0.999
    deep = np.rint(truth[..., :3] * 65535).astype(np.uint16)
    assert wildsr.psnr(deep + np.uint16(6), deep) == pytest.approx(
        20 * np.log10(65535 / 6), abs=0.01
    )
    gray = deep[..., 0]
    assert wildsr.psnr(gray + np.uint16(6), gray, channel="y") > 79
    panel = wildsr.Panel(["psnr", "ssim", "sharpness"], range=(270, 310))
    kelvin = 270 + 40 * truth.astype(np.float64)
    found = panel.measure(kelvin + 0.004, hr=kelvin, lr=kelvin[::2, ::2])
    assert found["psnr"] == pytest.approx(80, abs=0.1)
    assert found["sharpness"] > 0
    assert wildsr.sharpness(truth) > 0
    with pytest.raises(wildsr.UserError, match="one number of channels, but got `sr` 5 and `hr` 4"):
        wildsr.psnr(truth, truth[..., :4])
    with pytest.raises(wildsr.UserError, match=r"`range` must be \[low, high\]"):
        wildsr.Panel(range="auto")
    eight = (truth * 255).astype(np.uint8)
    assert wildsr.swd([eight], [eight]) == 0
