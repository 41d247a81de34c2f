"""Files of other sensors, upscaled in their own type and channels."""

import numpy as np
import pytest
import tifffile
import torch
from torch import nn

from wildsr.error import UserError
from wildsr.inference.file import Settings, upscale_file
from wildsr.inference.job import carry_out
from wildsr.inference.prepare import prepare
from wildsr.inference.tasks import tasks
from wildsr.photo.samples import read_samples, write_samples
from wildsr.photo.sensor import Sensor

CPU = torch.device("cpu")


class Twice(nn.Module):
    """Repeats pixels; of any number of channels."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, lr):
        return nn.functional.interpolate(lr, scale_factor=2, mode="nearest")


def upscaler(sensor):
    return prepare(Twice(sensor.channels), 2, "twice", CPU, sensor=sensor, tile=16)


def ramp(channels, dtype, low, high, size=(24, 40)):
    values = np.linspace(low, high, size[0] * size[1] * channels).reshape(*size, channels)
    return values.astype(dtype)


def repeated(image):
    return image.repeat(2, 0).repeat(2, 1)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("span", [None, (100.0, 4095.0)])
def test_gray_16_bit_stays_gray_16_bit(tmp_path, suffix, span):
    image = ramp(1, np.uint16, 100, 4000)
    write_samples(tmp_path / f"a{suffix}", image)
    made = upscale_file(
        upscaler(Sensor(1, "16", span, span)), tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    )
    read = read_samples(made)
    assert read.shape == (48, 80, 1)
    assert read.dtype == np.uint16
    assert np.array_equal(read, repeated(image))
    assert len(np.unique(read)) > 256


def test_many_channels_come_out_as_many(tmp_path):
    image = ramp(6, np.float32, 0, 1.5)
    write_samples(tmp_path / "a.tif", image)
    sensor = Sensor(6, "float", (0.0, 1.0), (0.0, 1.0))
    read = tifffile.imread(upscale_file(upscaler(sensor), tmp_path / "a.tif", tmp_path / "b.tif"))
    assert read.shape == (48, 80, 6)
    inside = repeated(image) <= 0.9  # bicubic interpolation reaches two pixels
    assert np.allclose(read[inside], repeated(image)[inside], atol=1e-4)
    assert read.max() > 1.45  # what is beyond white is not cut off


def test_four_channels_are_no_alpha_to_a_network_of_four(tmp_path):
    image = ramp(4, np.uint16, 0, 60000)
    write_samples(tmp_path / "a.tif", image)
    read = read_samples(
        upscale_file(upscaler(Sensor(4, "16")), tmp_path / "a.tif", tmp_path / "b.tif")
    )
    assert np.array_equal(read, repeated(image))


def test_a_gray_network_takes_colours_one_by_one(tmp_path):
    image = ramp(3, np.uint16, 0, 60000)
    write_samples(tmp_path / "a.png", image)
    made = upscale_file(upscaler(Sensor(1, "16")), tmp_path / "a.png", tmp_path / "b.png")
    assert np.array_equal(read_samples(made), repeated(image))


def test_another_depth_or_size_where_it_is_asked_for(tmp_path):
    image = ramp(1, np.uint16, 0, 4095)
    write_samples(tmp_path / "a.tif", image)
    twelve = upscaler(Sensor(1, "16", (0.0, 4095.0), (0.0, 4095.0)))
    settings = Settings(depth=8, outscale=3)
    read = read_samples(upscale_file(twelve, tmp_path / "a.tif", tmp_path / "b.tif", settings))
    assert (read.shape, read.dtype) == ((72, 120, 1), np.uint8)
    assert read.max() == 255


def test_a_folder_of_them(tmp_path):
    for number in range(2):
        write_samples(tmp_path / "in" / f"{number}.tif", ramp(1, np.float32, 270, 310))
    sensor = Sensor(1, "float", (260.0, 320.0), (260.0, 320.0))
    todo = tasks(tmp_path / "in", tmp_path / "out", None)
    outcome = carry_out(upscaler(sensor), todo, Settings())
    assert (outcome.done, outcome.failed) == (2, 0)
    read = read_samples(tmp_path / "out" / "0.tif")
    assert np.allclose(read, repeated(ramp(1, np.float32, 270, 310)), atol=1e-3)


def test_what_does_not_fit_is_said(tmp_path):
    write_samples(tmp_path / "a.tif", ramp(5, np.uint16, 0, 60000))
    with pytest.raises(UserError, match=r"takes 4 bands, but .* has 5"):
        upscale_file(upscaler(Sensor(4, "16")), tmp_path / "a.tif", tmp_path / "b.tif")
    write_samples(tmp_path / "g.png", ramp(1, np.uint16, 0, 60000))
    with pytest.raises(UserError, match="takes images of 4 channels, but got one of 1"):
        upscale_file(upscaler(Sensor(4, "16")), tmp_path / "g.png", tmp_path / "b.png")
