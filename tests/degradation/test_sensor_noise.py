"""Poisson noise, its normal approximation and a sensor's: moments, gradients, mistakes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from wildsr.degradation.sensor_noise import (
    level_count,
    poisson,
    poisson_gauss,
    poisson_normal,
)
from wildsr.error import UserError
from wildsr.pixels import torchvision_luma

COLOUR = torch.tensor([51.0, 102.0, 204.0]) / 255


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def flat(colours, side=160):
    """One image of each colour (B, 3)."""
    return torch.as_tensor(colours)[:, :, None, None].expand(-1, -1, side, side).contiguous()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sets(st.integers(0, 255), min_size=1), min_size=1, max_size=3))
def test_levels_are_counted_up_to_a_power_of_2(values):
    rows = [torch.tensor((list(some) * 256)[:256]) for some in values]
    image = torch.stack(rows).view(-1, 1, 16, 16) / 255
    expected = [2 ** math.ceil(math.log2(len(some))) for some in values]
    assert level_count(image + 0.4 / 255).tolist() == expected
    assert level_count(image[..., torch.randperm(16)].repeat(1, 3, 1, 1)).tolist() == expected


def test_levels_beyond_black_and_white_are_these():
    image = torch.tensor([[-1.0, 0.0, 0.001, 1.0, 1.2, 7.0], [0, 0, 254 / 255, 1, 1, 1]])
    assert level_count(image.view(2, 1, 2, 3)).tolist() == [2, 4]


def test_luma():
    image = torch.rand(2, 3, 4, 5)
    weights = torch.tensor([0.2989, 0.587, 0.114])
    torch.testing.assert_close(
        torchvision_luma(image), torch.einsum("bchw,c->bhw", image, weights)[:, None]
    )
    assert torch.equal(torchvision_luma(image[:, :1]), image[:, :1])


@pytest.mark.parametrize("noisy", [poisson, poisson_normal])
def test_moments_of_both_variants(noisy):
    colours = torch.stack([COLOUR, COLOUR, COLOUR.flip(0)])
    levels, scale = torch.tensor([64.0, 64.0, 4.0]), torch.tensor([1.0, 2.0, 0.5])
    gray = torch.tensor([False, True, False])
    image = flat(colours)
    noise = noisy(image, scale, levels, gray, generators=generators(1, 2, 3)) - image
    torch.testing.assert_close(noise[1], noise[1, :1].expand(3, -1, -1), atol=1e-6, rtol=0)
    assert (noise[0, 0] != noise[0, 1]).any()
    light = torch.where(
        gray[:, None], torchvision_luma(image)[:, :, 0, 0].mul(255).round() / 255, colours
    )
    expected = scale.square()[:, None] * light / levels[:, None]
    count = 160 * 160
    assert (noise.mean((2, 3)) / expected.sqrt()).abs().max() < 5 / math.sqrt(count)
    # The kurtosis of a Poisson number of mean m is 3 + 1 / m.
    spread = (2 + 1 / (light * levels[:, None])).max().sqrt() / math.sqrt(count)
    assert (noise.var((2, 3)) / expected - 1).abs().max() < 5 * spread
    between = torch.corrcoef(noise[0].flatten(1)) - torch.eye(3)
    assert between.abs().max() < 5 / math.sqrt(count)


def test_exact_poisson_is_made_of_whole_photons_and_keeps_what_8_bits_lose():
    image = flat(COLOUR[None], 32) + 0.3 / 255
    noise = (poisson(image, 3.0, 32.0, generators=generators(1)) - image) / 3
    photons = (noise + flat(COLOUR[None], 32)) * 32
    torch.testing.assert_close(photons, photons.round(), atol=1e-4, rtol=0)
    assert len(photons.round().unique()) > 5


def test_black_has_no_noise_and_white_is_no_brighter_than_white():
    image = torch.tensor([-0.5, 0.0, 1.0, 3.0]).view(4, 1, 1, 1).expand(4, 1, 100, 100)
    for noisy in (poisson, poisson_normal):
        noise = noisy(image, 1.0, 64.0, generators=generators(1, 2, 3, 4)) - image
        assert (noise[:2] == 0).all()
        assert noise[2].std().item() == pytest.approx(1 / 8, rel=0.05)
        assert noise[3].std().item() == pytest.approx(1 / 8, rel=0.05)


@pytest.mark.parametrize("noisy", [poisson, poisson_normal])
def test_levels_are_by_default_those_of_each_sample_and_of_its_luma(noisy):
    image = torch.rand(3, 3, 6, 6)
    image[1] = image[1].round()
    # Two values in each channel, but one luma up to 8 bits: what gray noise counts.
    image[2] = torch.tensor([0.0, 0.0, 0.0])[:, None, None]
    image[2, 2, :3] = 1 / 255
    gray = torch.tensor([False, False, True])
    counted = level_count(torch.where(gray[:, None, None, None], torchvision_luma(image), image))
    assert counted.tolist() == [128, 2, 1]
    given = [generators(1, 2, 3), generators(1, 2, 3)]
    added = noisy(image, 1.0, None, gray, generators=given[0])
    assert torch.equal(added, noisy(image, 1.0, counted, gray, generators=given[1]))


def test_normal_by_hand():
    image = torch.tensor([0.25, 0.04, 0.0]).view(1, 3, 1, 1)
    draws = torch.tensor([1.0, -2.0, 7.0]).view(1, 3, 1, 1)
    added = poisson_normal(image, 2.0, 100.0, draws=draws).flatten().tolist()
    assert added == pytest.approx([0.25 + 2 * 0.05, 0.04 - 2 * 2 * 0.02, 0])
    gray = 0.2989 * 0.25 + 0.587 * 0.04
    added = poisson_normal(image, 2.0, 100.0, torch.tensor([True]), draws).flatten().tolist()
    shift = 2 * math.sqrt(gray / 100)
    assert added == pytest.approx([0.25 + shift, 0.04 + shift, shift])
    added = poisson_gauss(image, 0.1, 0.03, draws).flatten().tolist()
    deviations = [math.sqrt(0.01 * x + 0.0009) for x in (0.25, 0.04, 0)]
    expected = [0.25 + deviations[0], 0.04 - 2 * deviations[1], 7 * deviations[2]]
    assert added == pytest.approx(expected)


def test_sensor_noise_has_its_level_in_each_sample():
    image = flat(torch.stack([COLOUR, COLOUR]))
    shot, read = torch.tensor([0.1, 0.02]), torch.tensor([0.0, 0.05])
    noise = poisson_gauss(image, shot, read, generators=generators(1, 2)) - image
    expected = (shot.square()[:, None] * COLOUR + read.square()[:, None]).sqrt()
    torch.testing.assert_close(noise.std((2, 3)), expected, rtol=0.03, atol=0)


KINDS = {
    "poisson": lambda image, given: poisson(image, 2.0, generators=given),
    "gray": lambda image, given: poisson(
        image, gray=torch.arange(len(image)) < 9, generators=given
    ),
    "normal": lambda image, given: poisson_normal(image, 2.0, generators=given),
    "sensor": lambda image, given: poisson_gauss(image, 0.1, 0.02, generators=given),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("shape", [(3, 3, 16, 9), (3, 1, 5, 20), (3, 3, 1, 1)])
def test_a_batch_is_its_samples_one_by_one(name, shape):
    image = 0.2 + 0.8 * torch.rand(shape, generator=torch.Generator().manual_seed(0))
    together = KINDS[name](image, generators(7, 8, 9))
    alone = [KINDS[name](image[i : i + 1], generators(7 + i)) for i in range(3)]
    assert together.shape == image.shape
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-6, rtol=0)
    assert not torch.equal(together, image)


@pytest.mark.parametrize("name", KINDS)
def test_bfloat16_is_raised_and_torchs_seed_obeyed(name):
    image = torch.rand(2, 3, 8, 8).bfloat16()
    added = KINDS[name](image, generators(1, 2))
    assert added.dtype == torch.float32
    assert torch.equal(added, KINDS[name](image.float(), generators(1, 2)))
    torch.manual_seed(5)
    first = KINDS[name](image, None)
    torch.manual_seed(5)
    assert torch.equal(first, KINDS[name](image, None))


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    image = 0.1 + 0.8 * torch.rand(2, 3, 3, 4, dtype=torch.float64, generator=generator)
    draws = torch.randn(2, 3, 3, 4, dtype=torch.float64, generator=generator)
    one, other = torch.tensor([[0.5, 2.0], [0.03, 0.1]], dtype=torch.float64)
    gray = torch.tensor([True, False])
    for tensor in (image, draws, one, other):
        tensor.requires_grad_()
    assert gradcheck(
        lambda x, s, v, n: poisson_normal(x, s, 100 * v, gray, n), (image, one, one, draws)
    )
    assert gradcheck(poisson_gauss, (image, one, other, draws))


def test_gradients_in_the_dark_are_finite():
    image = torch.tensor([-0.1, 0.0, 1e-12]).view(1, 3, 1, 1).requires_grad_()
    shot, read = (torch.zeros(1, requires_grad=True) for _ in range(2))
    draws = torch.ones(1, 3, 1, 1)
    dark = poisson_normal(image, 1.0, 64.0, draws=draws) + poisson_gauss(image, shot, read, draws)
    (dark + poisson_gauss(image, 0.1, 0.0, draws)).sum().backward()
    for tensor in (image, shot, read):
        assert torch.isfinite(tensor.grad).all()
    assert image.grad.flatten()[0] == 3, "below 0 the noise does not depend on the image"


def test_exact_poisson_is_constant_noise_to_gradients():
    image = torch.rand(1, 3, 4, 4, requires_grad=True)
    scale = torch.tensor([0.7], requires_grad=True)
    added = poisson(image, scale, 16.0, generators=generators(1))
    added.sum().backward()
    assert (image.grad == 1).all()
    noise = (added - image).sum().item() / 0.7
    assert scale.grad.item() == pytest.approx(noise, abs=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: poisson(x[:, :2]), "`image` must be"),
        (lambda x: poisson(x.byte()), "`image` must be"),
        (lambda x: poisson(x * math.nan), "`image` must hold finite numbers"),
        (lambda x: poisson_normal(x / 0), "`image` must hold finite numbers"),
        (lambda x: poisson(x, torch.ones(3)), "`scale` must be"),
        (lambda x: poisson(x, 1.0, torch.tensor([4.0, 0.0])), r"`levels` must be above 0, .*4.0"),
        (lambda x: poisson_normal(x, 1.0, torch.ones(2, 1)), "`levels` must be"),
        (lambda x: poisson(x, gray=torch.ones(2)), r"`gray` must be \(2,\) booleans"),
        (lambda x: poisson(x, generators=generators(1)), "`generators` must be 2 generators"),
        (lambda x: poisson_gauss(x, torch.ones(3), 0.1), "`shot` must be"),
        (lambda x: poisson_gauss(x, 0.1, torch.ones(3)), "`read` must be"),
        (lambda x: poisson_gauss(x, 0.1, 0.1, x[:1]), "`draws` must have the shape"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(UserError, match=message):
        call(0.1 + torch.rand(2, 3, 4, 4))
