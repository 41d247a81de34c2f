"""The steps between sensor and file: by hand, there and back, with finite gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2xyz, xyz2rgb
from torch.autograd import gradcheck

from wildsr.degradation.isp import (
    colour_matrix,
    gamma,
    quantise,
    to_linear,
    to_srgb,
    tone,
    untone,
    white_balance,
)
from wildsr.error import UserError
from wildsr.pixels import to_8_bit


def images(batch=2, channels=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, channels, 5, 7, generator=generator, dtype=dtype)


def grays(*values):
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1).expand(1, 3, 1, -1)


def test_srgb_by_hand():
    encoded = grays(0.0, 0.04045, 0.5, 1.0)
    linear = [0.0, 0.04045 / 12.92, (0.555 / 1.055) ** 2.4, 1.0]
    assert to_linear(encoded)[0, 0, 0].tolist() == pytest.approx(linear, rel=1e-12)
    assert to_linear(grays(0.5))[0, 0, 0].item() == pytest.approx(0.2140411, abs=1e-7)
    assert to_srgb(grays(0.0031308, 0.2140411))[0, 0, 0].tolist() == pytest.approx(
        [12.92 * 0.0031308, 0.5], abs=1e-6
    )


def test_srgb_is_scikit_images_and_comes_back():
    image = images()
    linear = to_linear(image)
    torch.testing.assert_close(to_srgb(linear), image, atol=1e-6, rtol=0)
    matrix = torch.from_numpy(rgb2xyz([[[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]])[0].T.copy())
    xyz = colour_matrix(linear, matrix)
    expected = torch.from_numpy(rgb2xyz(image.permute(0, 2, 3, 1).numpy())).permute(0, 3, 1, 2)
    torch.testing.assert_close(xyz, expected)
    back = torch.from_numpy(xyz2rgb(expected.permute(0, 2, 3, 1).numpy())).permute(0, 3, 1, 2)
    torch.testing.assert_close(to_srgb(linear), back, atol=1e-5, rtol=0)


def test_slopes_at_black_are_those_of_the_straight_part():
    for function, slope in ((to_srgb, 12.92), (to_linear, 1 / 12.92)):
        black = torch.zeros(1, 3, 1, 1, requires_grad=True)
        function(black).sum().backward()
        assert black.grad.flatten().tolist() == pytest.approx([slope] * 3)


def test_white_balance():
    image, gains = images(), torch.tensor([[2.0, 1.0, 1.5], [0.5, 1.0, 4.0]])
    made = white_balance(image, gains)
    assert made[0, 2, 1, 3].item() == pytest.approx(1.5 * image[0, 2, 1, 3].item())
    assert made[1, 0, 1, 3].item() == pytest.approx(0.5 * image[1, 0, 1, 3].item())
    torch.testing.assert_close(white_balance(made, 1 / gains), image)
    torch.testing.assert_close(white_balance(image, gains[0])[:1], made[:1])
    learned = gains.double().requires_grad_()
    assert gradcheck(white_balance, (image.requires_grad_(), learned))


def test_colour_matrix():
    generator = torch.Generator().manual_seed(1)
    matrix = torch.eye(3).double() + 0.2 * torch.randn(2, 3, 3, generator=generator).double()
    image = images()
    made = colour_matrix(image, matrix)
    torch.testing.assert_close(made, torch.einsum("bij,bjhw->bihw", matrix, image))
    torch.testing.assert_close(colour_matrix(made, matrix.inverse()), image)
    torch.testing.assert_close(colour_matrix(image, matrix[1])[1:], made[1:])
    swap = torch.tensor([[0.0, 0, 1], [0, 1, 0], [1, 0, 0]])
    assert torch.equal(colour_matrix(image, swap), image.flip(1))
    assert gradcheck(colour_matrix, (image.requires_grad_(), matrix.requires_grad_()))


def test_gamma():
    image, exponents = images(), torch.tensor([2.2, 0.5])
    made = gamma(image, exponents)
    torch.testing.assert_close(made[0], image[0] ** exponents[0].double())
    torch.testing.assert_close(made[1], image[1].sqrt())
    torch.testing.assert_close(gamma(made, 1 / exponents), image, atol=1e-6, rtol=0)
    learned = exponents.double().requires_grad_()
    assert gradcheck(gamma, (image.requires_grad_(), learned))


def test_gamma_is_finite_at_and_below_black():
    dark = torch.tensor([-0.5, 0.0, 1e-6]).view(1, 1, 1, 3).requires_grad_()
    exponent = torch.tensor([1 / 2.2], requires_grad=True)
    made = gamma(dark, exponent)
    made.sum().backward()
    assert made.isfinite().all()
    assert made.max() < 0.003
    assert dark.grad.isfinite().all()
    assert exponent.grad.isfinite().all()


def test_tone_by_hand():
    values = grays(-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
    expected = [0, 0, 3 / 16 - 2 / 64, 0.5, 27 / 16 - 54 / 64, 1, 1]
    assert tone(values)[0, 0, 0].tolist() == pytest.approx(expected)
    half = tone(values, 0.5)[0, 0, 0].tolist()
    assert half == pytest.approx(
        [(a + b) / 2 for a, b in zip(expected, [0, 0, 0.25, 0.5, 0.75, 1, 1], strict=True)]
    )
    image = images()
    made = tone(image, torch.tensor([0.0, 1.0]))
    assert torch.equal(made[0], image[0])
    torch.testing.assert_close(made[1], tone(image)[1])


@settings(deadline=None, max_examples=25)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_untone_is_the_inverse(strength, seed):
    image = images(seed=seed).clamp(0.001, 0.999)
    back = untone(tone(image, strength), strength)
    torch.testing.assert_close(back, image, atol=2e-6, rtol=0)
    single = untone(tone(image.float(), strength), strength)
    torch.testing.assert_close(single, image.float(), atol=5e-4, rtol=0)


def test_untone_is_the_paper_s_at_full_strength_and_finite_at_the_ends():
    image = images()
    torch.testing.assert_close(untone(image), 0.5 - ((1 - 2 * image).asin() / 3).sin())
    ends = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).requires_grad_()
    made = untone(ends, 1.0)
    assert made.flatten().tolist() == pytest.approx([0, 1], abs=2e-4)
    made.sum().backward()
    assert ends.grad.isfinite().all()


def test_tones_have_gradients():
    image = (0.1 + 0.8 * images()).requires_grad_()
    strength = torch.tensor([0.3, 0.9], dtype=torch.float64, requires_grad=True)
    assert gradcheck(tone, (image, strength))
    assert gradcheck(untone, (image, strength))


@pytest.mark.parametrize(
    ("bits", "value", "expected"), [(1, 0.51, 1.0), (2, 0.51, 2 / 3), (10, 0.5004, 512 / 1023)]
)
def test_quantise_by_hand(bits, value, expected):
    assert quantise(grays(value), bits)[0, 0, 0].item() == pytest.approx(expected)
    assert quantise(grays(-0.1, 1.2), bits)[0, 0, 0].tolist() == pytest.approx([0, 1])


@pytest.mark.parametrize("bits", [3, 8, 12])
def test_quantise_has_its_levels_and_the_gradient_of_the_identity(bits):
    image = (1.2 * images() - 0.1).requires_grad_()
    made = quantise(image, bits)
    steps = made * (2**bits - 1)
    assert (steps - steps.round()).abs().max() < 1e-6
    assert (made - image.clamp(0, 1)).abs().max() <= 0.5001 / (2**bits - 1)
    weight = torch.rand_like(image)
    (made * weight).sum().backward()
    assert torch.equal(image.grad, weight)
    assert bits != 8 or torch.equal(made, to_8_bit(image))


STEPS = {
    "white_balance": lambda x: white_balance(x, torch.ones(3)),
    "colour_matrix": lambda x: colour_matrix(x, torch.eye(3)),
    "gamma": lambda x: gamma(x, 0.5),
    "to_linear": to_linear,
    "to_srgb": to_srgb,
    "tone": tone,
    "untone": untone,
    "quantise": quantise,
}


@pytest.mark.parametrize("name", STEPS)
def test_half_precision_is_computed_in_float32(name):
    coarse = images(dtype=torch.float32).bfloat16()
    made = STEPS[name](coarse)
    assert made.dtype == torch.float32
    assert torch.equal(made, STEPS[name](coarse.float()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(STEPS[name](coarse), made)
    with pytest.raises(UserError, match="`image` must be"):
        STEPS[name](coarse[0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: white_balance(x, torch.ones(3, 3)), r"`gains` must be \(2, 3\) or \(3,\)"),
        (lambda x: colour_matrix(x, torch.ones(3, 3, 3)), r"`matrix` must be \(2, 3, 3\)"),
        (lambda x: gamma(x, torch.ones(3)), r"`exponent` must be one number or \(2,\)"),
        (lambda x: tone(x, torch.ones(3)), "`strength` must be one number"),
        (lambda x: untone(x, torch.ones(2, 1)), "`strength` must be one number"),
        (lambda x: quantise(x, 0), "`bits` must be an integer from 1 to 16, but got 0"),
        (lambda x: quantise(x, 8.5), "`bits` must be an integer from 1 to 16, but got 8.5"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(UserError, match=message):
        call(images())
