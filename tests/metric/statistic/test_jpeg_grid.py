"""The grid of JPEG is seen wherever it begins; noise is none."""

import pytest
import torch

from wildsr.degradation.jpeg.codec import libjpeg
from wildsr.metric.statistic.colour_statistics import STATISTICS, colour_statistics
from wildsr.metric.statistic.jpeg_grid import jpeg_grid

NONE = 0.04


@pytest.fixture(scope="module")
def photo():
    """Texture of several sizes and some noise, (3, 120, 128)."""
    generator = torch.Generator().manual_seed(0)
    made = torch.full((1, 3, 120, 128), 0.5)
    for side in (4, 12, 40):
        coarse = torch.rand(1, 3, side, side, generator=generator) - 0.5
        made += 0.4 * torch.nn.functional.interpolate(coarse, (120, 128), mode="bicubic")
    return made + torch.randn(made.shape, generator=generator) * 4 / 255


def grid(image):
    return jpeg_grid(image[0].clamp(0, 1).mul(255).round()).item()


def test_no_jpeg_leaves_no_grid_however_noisy(photo):
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(1)) / 255
    for level in (0, 2, 8, 20):
        assert abs(grid(photo + level * noise)) < NONE
    assert abs(grid(torch.full((1, 3, 64, 64), 0.5))) < NONE  # everything vanishes everywhere


@pytest.mark.parametrize("quality", [40, 80, 92])
def test_jpeg_does_and_more_the_stronger_it_is(photo, quality):
    assert grid(libjpeg(photo, quality, "4:2:0")) > 3 * NONE


def test_the_grid_may_begin_anywhere(photo):
    coded = libjpeg(photo, 60, "4:4:4")
    whole = grid(coded)
    for top, left in ((1, 0), (0, 3), (5, 6)):
        assert grid(coded[..., top:, left:]) == pytest.approx(whole, abs=0.05)


def test_noise_after_the_coding_hides_the_grid(photo):
    coded = libjpeg(photo, 60, "4:4:4")
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(1)) * 8 / 255
    assert grid(coded + noise) < grid(coded) / 2


def test_colours_by_hand():
    red = torch.zeros(3, 2, 2)
    red[0] = 100
    found = dict(zip(STATISTICS, colour_statistics(red).tolist(), strict=True))
    assert found == pytest.approx(
        {"brightness": 29.9, "contrast": 0, "blue": -16.9, "red": 50, "colourfulness": 0}
    )
    gray = torch.tensor([[10.0, 20.0], [30.0, 40.0]]).expand(3, -1, -1)
    found = dict(zip(STATISTICS, colour_statistics(gray).tolist(), strict=True))
    # Mean 25, squares of the deviations 225, 25, 25, 225: their mean is 125.
    assert found == pytest.approx(
        {"brightness": 25, "contrast": 125**0.5, "blue": 0, "red": 0, "colourfulness": 0},
        abs=1e-9,
    )
