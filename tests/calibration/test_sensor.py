"""The noise of sensors: its black level, and that of each channel."""

import numpy as np
import pytest
import torch

from wildsr.calibration.sensor import sensor_noise
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.degrader.physics import PRIOR
from wildsr.network.degrader.sensor import SensorNoise


def scenes(count, channels, size, black=0.1, seed=0):
    """Smooth patches, edges and a little texture, from the black level on."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        y, x = np.mgrid[:size, :size] / size
        image = np.zeros((size, size))
        for _ in range(12):
            angle, place, value = random.uniform(0, 6.3), random.uniform(-1, 1), random.random()
            image[np.cos(angle) * x + np.sin(angle) * y > place] = value
        rough = torch.from_numpy(random.standard_normal((1, 1, size, size)))
        rough = torch.nn.functional.avg_pool2d(rough, 3, 1, 1)[0, 0].numpy() * 0.05
        image = image + rough * (x > 0.6)
        every = image[..., None] * np.linspace(1, 0.6, channels)
        made.append((black + (1 - black) * every.clip(0, 1)).astype(np.float32))
    return made


def noisy(image, read, shot, black, levels, seed):
    random = np.random.default_rng(seed)
    deviation = np.sqrt(read**2 + shot**2 * (image - black).clip(0))
    made = image + random.standard_normal(image.shape) * deviation * levels
    return made.clip(0, 1).astype(np.float32)


def channelled(images):
    return [torch.from_numpy(image).permute(2, 0, 1) for image in images]


@pytest.mark.parametrize("black", [0.0, 0.1, 0.25])
def test_the_black_level_is_where_light_makes_no_noise(black):
    clean = scenes(12, 1, 160, black)
    photos = [noisy(c, 0.001, 0.05, black, 1.0, n) for n, c in enumerate(clean)]
    found = sensor_noise(channelled(photos))
    assert found.black == pytest.approx(black, abs=0.03)
    assert found.of_channels == ()


def test_noise_that_light_does_not_make_is_no_black_level():
    photos = [noisy(c, 0.02, 0.0, 0.0, 1.0, n) for n, c in enumerate(scenes(12, 1, 160, 0.1))]
    assert sensor_noise(channelled(photos)).black < 0.1


def test_each_channel_has_its_own_level():
    levels = np.array([1.0, 2.0, 0.5, 1.0])
    clean = scenes(12, 4, 160, 0.0)
    photos = [noisy(c, 0.02, 0.0, 0.0, levels, n) for n, c in enumerate(clean)]
    found = np.array(sensor_noise(channelled(photos)).of_channels)
    assert np.allclose(found / found[0], levels, rtol=0.2)


@pytest.mark.parametrize(("channels", "deep"), [(1, True), (1, False), (4, True), (3, True)])
def test_a_camera_has_its_sensors_noise(channels, deep):
    camera = MeasuredCamera(2, channels, deep)
    levels = tuple(range(1, channels + 1)) if channels == 4 else ()
    parameters = PRIOR.clone()
    parameters[3:5], parameters[6] = torch.tensor([3.0, 4.0]), 0.0  # light's noise alone
    camera.set(parameters[None], [None], SensorNoise(0.3 if deep else 0.0, levels))
    bright, dark = torch.full((2, channels, 96, 96), 0.8), torch.full((2, channels, 96, 96), 0.3)
    with torch.no_grad():
        found = [camera(hr, camera.draws(hr)).std((0, 2, 3)) for hr in (bright, dark)]
    if deep:
        assert (found[1] < 0.25 * found[0]).all()
    else:
        assert (found[1] > 0.5 * found[0]).all()
    if levels:
        assert torch.allclose(found[0] / found[0][0], torch.tensor(levels).float(), rtol=0.1)
    again = MeasuredCamera(2, channels, deep)
    again.load_state_dict(camera.state_dict())
    assert again.noise_std(torch.tensor([0.8])).item() == pytest.approx(
        camera.noise_std(torch.tensor([0.8])).item()
    )
