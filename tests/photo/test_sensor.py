"""Values of any sensor: made into one kind, from black to white and back."""

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from wildsr.error import UserError
from wildsr.photo.rows import Ahead, Still
from wildsr.photo.sensor import RGB, Ranged, Sensor, made_into, unit_of, values_of
from wildsr.photo.view import picture, view, views, window_of


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


@pytest.mark.parametrize(
    ("sensor", "words"),
    [
        (RGB, "RGB, 8 bits, black 0, white 255"),
        (Sensor(1, "16", (0.0, 4095.0), (0.0, 4095.0)), "gray, 16 bits, black 0, white 4095"),
        (
            Sensor(5, "float", (240.0, 310.5), None),
            "5 channels, floating-point numbers, black to white: lr 240 to 310.5, hr 0 to 1",
        ),
    ],
)
def test_a_sensor_in_words(sensor, words):
    assert sensor.sentence() == words


def test_of_more_channels_the_first_are_taken():
    pixels = np.arange(10, dtype=np.uint16).reshape(1, 2, 5)
    assert made_into(pixels, 2, np.dtype(np.uint16)).tolist() == [[[0, 1], [5, 6]]]
    with pytest.raises(ValueError, match="5 channels, where others have 1"):
        made_into(pixels, 1, np.dtype(np.uint16))


def test_rows_in_a_range_can_be_read_again():
    values = np.arange(6, dtype=np.uint16).reshape(3, 2, 1) * 100
    rows = Ranged(Still(values), (100.0, 300.0))
    expected = ((values - 100.0) / 200).clip(0, 1)
    for one in (rows, rows.again()):
        assert np.allclose(np.concatenate([one.read(1), one.read(2)]), expected)
    ahead = Ranged(Ahead(Still(values)), (100.0, 300.0))
    assert np.allclose(ahead.read(3), expected)
    ahead.close()
    rows.close()


def test_images_of_a_scene_are_shown_in_one_window():
    dark, bright = torch.rand(1, 2, 6, 7) * 0.1, torch.rand(1, 2, 6, 7) * 0.1 + 0.05
    found = views({"lr": dark, "hr": bright, "none": None}, "lr")
    assert found["none"] is None
    window = window_of(dark[0])
    assert torch.equal(found["hr"][0], view(bright[0], window=window))
    alone = views({"lr": None, "hr": bright}, "lr")
    assert torch.equal(alone["hr"][0], view(bright[0]))
    photo = torch.randint(0, 256, (3, 4, 5), dtype=torch.uint8)
    assert torch.equal(view(photo), photo / 255)  # as it is


@pytest.mark.parametrize(
    "settings",
    [
        "8 bits",
        ["channels", 3],
        {"channels": 3, "Depth": "8"},
        {"depth": "8"},
        {"channels": 0, "depth": "8"},
        {"channels": "3", "depth": "8"},
        {"channels": 3, "depth": 8},
        {"channels": 3, "depth": ["8"]},
        {"channels": 3, "depth": "16", "lr": [0]},
        {"channels": 3, "depth": "16", "lr": 7},
        {"channels": 3, "depth": "16", "hr": [5, 5]},
        {"channels": 3, "depth": "16", "hr": [0, float("nan")]},
        {"channels": 5, "depth": "16", "bands": [0, 1, 5]},
        {"channels": 5, "depth": "16", "bands": [0, 1]},
    ],
)
def test_a_damaged_one_is_one_sentence(settings):
    for given in (settings, OmegaConf.create({"sensor": settings}).sensor):
        with pytest.raises(UserError, match="`sensor` must have the `channels` and `depth`"):
            Sensor.of(given)
