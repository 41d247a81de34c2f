"""Values of any sensor: made into one kind, from black to white and back."""

import numpy as np
import pytest
import torch

from wildsr.photo.sensor import RGB, Sensor, made_into, unit_of, values_of
from wildsr.photo.view import picture, view, window_of


def test_values_survive_the_way_to_networks_and_back():
    values = np.arange(0, 4096, 7, np.uint16).reshape(1, -1, 1)
    sensor = Sensor(1, "16", (0.0, 4095.0), (0.0, 4095.0))
    unit = sensor.seen(values)
    assert unit.dtype == np.float32
    assert unit.max() <= 1
    assert np.array_equal(values_of(unit, sensor.span(), values.dtype), values)
    kelvin = np.array([[[250.5], [310.25]]], np.float32)
    back = values_of(unit_of(kelvin, (240.0, 320.0)), (240.0, 320.0), kelvin.dtype)
    assert np.allclose(back, kelvin, atol=1e-3)


def test_8_bit_rgb_is_left_as_it_is():
    pixels = np.zeros((2, 2, 3), np.uint8)
    assert RGB.seen(pixels) is pixels
    assert (RGB.plain, RGB.deep) == (True, False)


def test_kinds_become_one():
    rgb = np.array([[[10, 20, 30]]], np.uint8)
    assert made_into(rgb, 1, np.dtype(np.uint8)).item() == round(2.99 + 11.74 + 3.42)
    assert made_into(rgb, 3, np.dtype(np.uint16)).tolist() == [[[2570, 5140, 7710]]]
    assert np.allclose(made_into(rgb, 3, np.dtype(np.float32)), rgb / 255)
    gray = np.array([[[1000]]], np.uint16)
    assert made_into(gray, 3, np.dtype(np.uint16)).tolist() == [[[1000] * 3]]
    assert made_into(np.array([[[257]]], np.uint16), 1, np.dtype(np.uint8)).item() == 1
    with pytest.raises(ValueError, match="1 channel, where others have 4"):
        made_into(gray, 4, np.dtype(np.uint16))
    with pytest.raises(ValueError, match=r"data\.depth=float"):
        made_into(gray.astype(np.float32), 1, np.dtype(np.uint16))


def test_a_configuration_states_the_sensor_and_is_read_again():
    sensor = Sensor(4, "float", (270.0, 310.5), None, (2, 1, 0))
    from wildsr.config.compose import configure

    config = configure("train", sensor.overrides())
    assert Sensor.of(config.sensor) == sensor
    assert config.sensor.deep
    assert config.network.upscaler.channels == 4
    assert Sensor.of(configure("train", []).sensor) == RGB


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_anything_is_a_picture(channels):
    image = torch.rand(channels, 6, 7) * 0.1 + 0.3
    shown = picture(image)
    assert shown.dtype == torch.uint8
    assert shown.shape == (3, 6, 7)
    assert int(shown.max()) - int(shown.min()) > 200  # its window, not its range
    window = window_of(image)
    assert torch.equal(view(image, window=window), view(image))
    flat = torch.zeros(1, 4, 4)
    assert torch.equal(view(flat), torch.zeros(3, 4, 4))


def test_bands_are_false_colours():
    image = torch.stack([torch.full((2, 2), v / 10) for v in range(5)])
    assert view(image, (4, 1, 0), (0.0, 1.0))[:, 0, 0].tolist() == pytest.approx([0.4, 0.1, 0.0])
