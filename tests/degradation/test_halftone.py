import math

import pytest
import torch

from wildsr.degradation.halftone import halftone
from wildsr.error import UserError


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("tone", [0.05, 0.3, 0.5, 0.8, 1.0, 0.0])
def test_dots_keep_the_mean_tone(tone, channels):
    printed = halftone(torch.full((1, channels, 80, 80), tone), 5.3)
    for value in printed.mean((2, 3)).flatten().tolist():
        assert value == pytest.approx(tone, abs=0.012)


def test_colours_keep_their_mean_with_and_without_black():
    colour = torch.tensor([0.8, 0.5, 0.2])
    image = colour.view(1, 3, 1, 1).expand(1, 3, 96, 96)
    for black in (True, False):
        printed = halftone(image, 6.0, black=black)
        torch.testing.assert_close(printed.mean((2, 3))[0], colour, atol=0.015, rtol=0)
    one_ink = halftone(image, 6.0, black=False, supersample=1)
    assert set(one_ink.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(("period", "turn"), [(4.0, 0.0), (6.0, 15.0)])
def test_the_screen_has_its_period_and_angle(period, turn):
    printed = halftone(torch.full((1, 1, 96, 96), 0.7), period, turn)[0, 0]
    power = torch.fft.rfft2(printed - printed.mean()).abs()
    y, x = divmod(int(power.argmax()), power.shape[1])
    y = y - 96 if y > 48 else y
    assert math.hypot(x, y) / 96 == pytest.approx(1 / period, abs=0.6 / 96)
    angle = math.degrees(math.atan2(y, x)) % 90
    assert angle == pytest.approx((45 + turn) % 90, abs=4)


def test_darker_tones_have_larger_dots_within_the_same_screen():
    dark, light = (halftone(torch.full((1, 1, 48, 48), t), 6.0, supersample=1) for t in (0.4, 0.7))
    assert ((dark == 1) <= (light == 1)).all()  # what is paper in the dark one is so in the light
    assert (dark == 0).sum() > (light == 0).sum()


def test_the_gradient_is_the_mean_tones():
    image = torch.rand(2, 3, 8, 8, requires_grad=True)
    weights = torch.rand(2, 3, 8, 8)
    (halftone(image, torch.tensor([3.0, 5.0])) * weights).sum().backward()
    torch.testing.assert_close(image.grad, weights)


def test_what_is_refused():
    for arguments, said in (
        ((torch.rand(3, 8, 8), 4.0), "must be"),
        ((torch.rand(1, 3, 8, 8), 1.0), "`period` must be above 1 pixel, but got 1"),
        ((torch.rand(2, 3, 8, 8), torch.ones(3)), "`period` must be one number or"),
    ):
        with pytest.raises(UserError, match=said):
            halftone(*arguments)
