"""Noise that was put in is found again, at the brightness where it was put."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from wildsr.metric.statistic.flat_noise import LEVELS, flat_noise, noise_correlation


def shaded(size=128):
    """A photo whose brightness rises smoothly from 16 to 240, the same in every channel."""
    ramp = torch.linspace(16, 240, size).expand(size, size)
    bend = 8 * torch.sin(torch.linspace(0, 3, size))[:, None]
    return (ramp + bend).clamp(0, 255).expand(3, -1, -1)


def noise(seed=0, size=128):
    return torch.randn(3, size, size, generator=torch.Generator().manual_seed(seed))


def eight_bits(photo):
    return photo.round().clamp(0, 255)


@pytest.mark.parametrize("std", [1.0, 3.0, 8.0])
def test_white_noise_is_recovered_at_every_brightness(std):
    found = flat_noise(eight_bits(shaded() + std * noise()))
    expected = (std**2 + 1 / 12) ** 0.5  # rounding adds the variance of a step
    assert found[1:-1].tolist() == pytest.approx([expected] * (LEVELS - 2), rel=0.12)


def test_noise_that_grows_with_brightness_is_told_from_noise_that_does_not():
    photo = shaded()
    variance = 4**2 + 8**2 * photo / 255
    found = flat_noise(eight_bits(photo + variance.sqrt() * noise()))
    middle = (torch.arange(LEVELS) + 0.5) / LEVELS
    expected = (16 + 64 * middle).sqrt()
    assert found[1:-1].tolist() == pytest.approx(expected[1:-1].tolist(), rel=0.12)


def test_shading_is_no_noise():
    assert flat_noise(shaded())[1:-1].max() < 0.1
    assert flat_noise(eight_bits(shaded()))[1:-1].max() < 0.4  # rounding


def test_what_a_photo_does_not_hold_is_not_a_number():
    dark = flat_noise(20 + noise())
    assert not dark[0].isnan()
    assert dark[1:].isnan().all()
    black = torch.zeros(3, 64, 64)
    assert flat_noise(black).isnan().all()
    assert noise_correlation(black).isnan().all()


def test_texture_in_a_part_of_the_photo_does_not_pass_for_noise():
    photo = torch.full((3, 128, 128), 120.0) + 3 * noise()
    photo[:, :, 64:] += 40 * (torch.arange(64) % 4 < 2)
    # Of half the windows the quietest 5 % of all are 10 %: a little too high.
    assert flat_noise(photo)[3].item() == pytest.approx(3, rel=0.12)


def test_correlated_noise_is_detected():
    white = noise_correlation(shaded() + 5 * noise())
    assert white.abs().max() < 0.05
    before = 0.05
    for width in (0.5, 0.7, 1.0):
        filtered = gaussian_filter(noise(1).numpy(), (0, width, width), mode="wrap")
        coarse = torch.from_numpy(5 * filtered / filtered.std())
        right, down = noise_correlation(shaded() + coarse)[:2].tolist()
        true = np.exp(-1 / (4 * width**2))  # of noise filtered by a Gaussian, one pixel apart
        assert right == pytest.approx(down, abs=0.05)
        assert before + 0.05 < right < true + 0.05  # too small, but in order
        before = right


def test_correlation_has_a_direction():
    streaks = noise()
    streaks = streaks + streaks.roll(1, 2)  # right neighbours share a half
    found = noise_correlation(120 + 4 * streaks)
    assert 0.35 < found[0].item() < 0.55  # one half, less what passes for shading
    assert abs(found[1].item()) < 0.08
