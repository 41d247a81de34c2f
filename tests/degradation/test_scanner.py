import math

import pytest
import torch

from wildsr.degradation.scanner import gamma_speckle, rayleigh_speckle, stripes
from wildsr.error import UserError


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("along", ["columns", "rows"])
def test_stripes_are_constant_along_a_line_with_the_given_spread(along, channels):
    image = torch.full((2, channels, 300, 400), 0.5)
    striped = stripes(image, 0.1, torch.tensor([0.02, 0.05]), along, generators(1, 2))
    axis = 2 if along == "columns" else 3
    assert (striped - striped.mean(axis, keepdim=True)).abs().max() < 1e-6
    lines = striped.mean(axis)  # (B, C, lines)
    for spread, offset in zip(lines.std(2).mean(1), (0.02, 0.05), strict=True):
        assert spread.item() == pytest.approx(math.hypot(0.05, offset), rel=0.12)
    if channels > 1:  # detectors of different bands are different ones
        assert not torch.allclose(lines[:, 0], lines[:, 1])


def test_gains_are_of_the_signal_and_offsets_are_not():
    dark = torch.zeros(1, 1, 4, 500)
    assert torch.equal(stripes(dark, 0.2, 0.0), dark)
    assert stripes(dark, 0.0, 0.1, generators=generators(0)).std().item() == pytest.approx(
        0.1, rel=0.1
    )


@pytest.mark.parametrize("looks", [1.0, 4.0, 20.0])
def test_radar_speckle_has_mean_1_and_variance_1_over_looks(looks):
    one = torch.ones(1, 1, 300, 300)
    speckled = gamma_speckle(one, looks, generators=generators(3))
    assert speckled.mean().item() == pytest.approx(1, abs=0.015)
    assert speckled.var().item() == pytest.approx(1 / looks, rel=0.05)
    third = ((speckled - 1) ** 3).mean() / speckled.var() ** 1.5
    assert third.item() == pytest.approx(2 / math.sqrt(looks), rel=0.15)  # of a gamma distribution
    torch.testing.assert_close(
        gamma_speckle(one * 0.3, looks, generators=generators(3)), speckled * 0.3
    )


def test_amplitudes_are_roots_of_mean_1():
    one = torch.ones(1, 1, 300, 300)
    amplitude = gamma_speckle(one, 1.0, amplitude=True, generators=generators(3))
    assert amplitude.mean().item() == pytest.approx(1, abs=0.01)
    assert amplitude.var().item() == pytest.approx(4 / math.pi - 1, rel=0.03)  # Rayleigh's
    intensity = gamma_speckle(one, 1.0, generators=generators(3))
    torch.testing.assert_close(amplitude.square() * math.pi / 4, intensity, atol=1e-5, rtol=1e-3)


def test_gray_speckle_is_one_for_all_channels():
    image = torch.ones(2, 3, 8, 8)
    speckled = gamma_speckle(
        image, 2.0, gray=torch.tensor([True, False]), generators=generators(1, 2)
    )
    assert torch.equal(speckled[0, 0], speckled[0, 2])
    assert not torch.equal(speckled[1, 0], speckled[1, 2])


def test_ultrasound_has_rayleighs_moments_and_grains_of_the_pulses_size():
    one = torch.ones(1, 2, 400, 400)
    speckled = rayleigh_speckle(one, 3.0, 1.0, generators=generators(5))
    assert torch.equal(speckled[:, 0], speckled[:, 1])
    assert speckled.mean().item() == pytest.approx(1, abs=0.03)
    assert speckled.var().item() == pytest.approx(4 / math.pi - 1, rel=0.1)
    field = speckled[0, 0] - speckled.mean()

    def correlation(dy, dx):
        return (field * field.roll((dy, dx), (0, 1))).mean() / field.square().mean()

    # Of an envelope nearly the square of the waves' own, exp(-d^2 / (4 width^2))
    for offset, width in (((0, 3), 3.0), ((1, 0), 1.0)):
        expected = math.exp(-(sum(offset) ** 2) / (4 * width**2)) ** 2
        assert correlation(*offset).item() == pytest.approx(expected, abs=0.08)
    half = rayleigh_speckle(one, 3.0, 1.0, 0.5, generators=generators(5))
    torch.testing.assert_close(half, (speckled + 1) / 2)


def test_a_sample_depends_on_its_own_generator_alone():
    image = torch.rand(2, 3, 12, 12)
    for f in (
        lambda x, g: stripes(x, 0.1, 0.1, generators=g),
        lambda x, g: gamma_speckle(x, 3.0, generators=g),
        lambda x, g: rayleigh_speckle(x, 1.0, 0.5, generators=g),
    ):
        together = f(image, generators(7, 8))
        torch.testing.assert_close(together[1:], f(image[1:], generators(8)))


def test_gradients_reach_the_picture_and_the_strength():
    image = torch.rand(1, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    gain = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    offset = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, a, b: stripes(x, a, b, generators=generators(1)), (image, gain, offset)
    )
    assert torch.autograd.gradcheck(
        lambda x, s: rayleigh_speckle(x, 1.0, 1.0, s, generators(1)), (image, gain)
    )
    looks = torch.tensor(3.0, requires_grad=True)
    ones = torch.ones(1, 1, 200, 200)
    spread = gamma_speckle(ones, looks, generators=generators(2)).square().mean()
    (slope,) = torch.autograd.grad(spread, looks)
    assert slope.item() == pytest.approx(-1 / 9, rel=0.15)  # of 1 + 1 / looks


def test_what_is_refused():
    image = torch.rand(1, 3, 4, 4)
    for call, said in (
        (lambda: stripes(image, 0.1, 0.1, "column"), "`along` must be one of"),
        (lambda: gamma_speckle(image, 0.0), "`looks` must be above 0, but got 0"),
        (lambda: rayleigh_speckle(image, 0.0, 1.0), "`lateral` must be above 0 pixels"),
        (lambda: gamma_speckle(image, torch.ones(2)), "`looks` must be one number or"),
    ):
        with pytest.raises(UserError, match=said):
            call()
