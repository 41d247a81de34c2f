"""Gaussian, speckled and correlated noise: moments, gradients, mistakes."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from wildsr.degradation.noise import (
    correlated,
    gaussian,
    speckle,
)
from wildsr.error import UserError

ROOT = torch.tensor([[0.1, 0.0, 0.0], [-0.05, 0.08, 0.0], [0.02, 0.03, 0.02]])
KERNEL = torch.tensor([[0.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.0, 0.0]])


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def flat(brightness=0.5, batch=2, channels=3, side=128):
    return torch.full((batch, channels, side, side), brightness)


def covariances(noise):
    """Of the channels, over the pixels of each sample."""
    return torch.stack([torch.cov(sample.flatten(1)) for sample in noise])


def test_gaussian_has_each_samples_own_sigma_and_grayness():
    sigma, gray = torch.tensor([0.1, 0.3, 0.2]), torch.tensor([False, True, True])
    noise = gaussian(flat(batch=3), sigma, gray, generators=generators(1, 2, 3)) - 0.5
    assert (noise[1:] == noise[1:, :1]).all()
    assert not torch.equal(noise[1] / 0.3, noise[2] / 0.2)
    count = 128 * 128
    assert (noise.mean((2, 3)) / sigma[:, None]).abs().max() < 5 / math.sqrt(count)
    expected = sigma.square()[:, None, None] * torch.stack(
        [torch.eye(3), torch.ones(3, 3), torch.ones(3, 3)]
    )
    error = (covariances(noise) - expected) / sigma.square()[:, None, None]
    assert error.abs().max() < 5 * math.sqrt(2 / count)


def test_gaussian_by_hand():
    image = torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1)
    draws = torch.tensor([1.0, -2.0, 20.0]).view(1, 3, 1, 1)
    added = gaussian(image, 0.1, draws=draws).flatten().tolist()
    assert added == pytest.approx([0.3, 0.2, 2.6])  # not clamped
    added = gaussian(image, 0.1, torch.tensor([True]), draws).flatten().tolist()
    assert added == pytest.approx([0.3, 0.5, 0.7])
    added = speckle(image, 0.1, draws).flatten().tolist()
    assert added == pytest.approx([0.22, 0.32, 1.8])


def test_speckle_grows_with_the_image():
    image = flat().clone()
    image[:, :, 64:] = 0.1
    noise = speckle(image, torch.tensor([0.2, 0.4]), generators=generators(1, 2)) - image
    for half, brightness in ((noise[:, :, :64], 0.5), (noise[:, :, 64:], 0.1)):
        expected = torch.tensor([0.2, 0.4]) * brightness
        torch.testing.assert_close(half.flatten(1).std(1), expected, rtol=0.03, atol=0)


@pytest.mark.parametrize("kernel", [None, KERNEL])
def test_correlated_has_its_covariance(kernel):
    covariance = torch.stack([ROOT @ ROOT.T, 0.04 * torch.eye(3)])
    kernel = None if kernel is None else torch.stack([kernel, 3 * kernel.T])
    noise = correlated(flat(), covariance, kernel, generators=generators(1, 2)) - 0.5
    found, scale = covariances(noise), covariance.diagonal(dim1=1, dim2=2)
    error = (found - covariance) / (scale[:, :, None] * scale[:, None]).sqrt()
    assert error.abs().max() < 0.05


def test_correlated_pixels_have_the_kernels_autocorrelation():
    kernel = torch.stack([KERNEL, KERNEL.T])
    covariance = (0.01 * torch.eye(3)).expand(2, 3, 3)
    noise = (correlated(flat(), covariance, kernel, generators=generators(3, 4)) - 0.5) / 0.1
    padded = torch.nn.functional.pad(kernel, (2, 2, 2, 2))
    for dy, dx in [(0, 0), (0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 1)]:
        expected = (padded * padded.roll((dy, dx), (1, 2))).sum((1, 2))
        expected = expected / kernel.square().sum((1, 2))
        found = (noise * noise.roll((dy, dx), (2, 3))).flatten(1).mean(1)
        torch.testing.assert_close(found, expected, atol=0.04, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 2), (5, 6)])
@pytest.mark.parametrize("side", [2, 5])
def test_correlated_noise_keeps_its_variance_up_to_the_border_of_any_image(side, size):
    # The noise is linear in the draws: the squares of its coefficients sum to the variance.
    count = size[0] * size[1]
    kernel = torch.rand(1, side, side, dtype=torch.float64)
    covariance = (0.09 * torch.eye(1)).expand(count, 1, 1).double()
    draws = torch.eye(count, dtype=torch.float64).view(count, 1, *size)
    response = correlated(torch.zeros_like(draws), covariance, kernel, draws)
    variance = response.square().sum(0)
    torch.testing.assert_close(variance, torch.full_like(variance, 0.09), atol=1e-8, rtol=0)


def test_correlated_by_hand():
    draws = torch.zeros(1, 3, 5, 5)
    draws[0, 0, 2, 2] = 1
    covariance = (ROOT @ ROOT.T)[None]
    noise = correlated(torch.zeros(1, 3, 5, 5), covariance, KERNEL[None], draws)
    # Correlation: the pixel to the right of the draw sees it through the tap on its left.
    kernel = KERNEL.flip(0, 1) / KERNEL.norm()
    expected = ROOT[:, :1, None] * torch.nn.functional.pad(kernel, (1, 1, 1, 1))
    torch.testing.assert_close(noise[0], expected, atol=1e-6, rtol=0)


def test_a_covariance_without_full_rank_has_a_root():
    one = torch.tensor([0.1, 0.2, 0.05])
    covariance = torch.stack([one[:, None] * one, torch.zeros(3, 3)])
    noise = correlated(torch.zeros(2, 3, 50, 50), covariance, generators=generators(1, 2))
    torch.testing.assert_close(
        noise[0] / one[:, None, None], noise[0, :1].expand(3, 50, 50) / 0.1, atol=0.01, rtol=0
    )
    assert noise[1].abs().max() < 0.3 / 255


KINDS = {
    "gaussian": lambda image, given: gaussian(image, 0.1, generators=given),
    "gray": lambda image, given: gaussian(image, 0.1, torch.ones(len(image)) > 0, generators=given),
    "speckle": lambda image, given: speckle(image, 0.1, generators=given),
    "correlated": lambda image, given: correlated(
        image,
        (0.01 * torch.eye(image.shape[1])).expand(len(image), -1, -1),
        KERNEL[None],
        generators=given,
    ),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("shape", [(3, 3, 16, 9), (3, 1, 5, 20), (3, 3, 1, 1)])
def test_a_batch_is_its_samples_one_by_one(name, shape):
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    together = KINDS[name](image, generators(7, 8, 9))
    alone = [KINDS[name](image[i : i + 1], generators(7 + i)) for i in range(3)]
    assert together.shape == image.shape
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-6, rtol=0)
    noise = (together - image).flatten(1)
    assert not torch.allclose(noise[0], noise[1])


@pytest.mark.parametrize("name", KINDS)
def test_bfloat16_is_raised(name):
    image = torch.rand(2, 3, 8, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        added = KINDS[name](image, generators(1, 2))
    assert added.dtype == torch.float32
    expected = KINDS[name](image.float(), generators(1, 2))
    torch.testing.assert_close(added, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", KINDS)
def test_torchs_seed_is_obeyed(name):
    torch.manual_seed(0)
    image = torch.zeros(1, 3, 4, 4)
    first = KINDS[name](image, None)
    torch.manual_seed(0)
    assert torch.equal(first, KINDS[name](image, None))


def test_gradients():
    image = torch.rand(2, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    sigma = torch.tensor([0.1, 0.3], dtype=torch.float64, requires_grad=True)
    draws = torch.randn(2, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    gray = torch.tensor([True, False])
    assert gradcheck(lambda x, s, n: gaussian(x, s, gray, n), (image, sigma, draws))
    assert gradcheck(speckle, (image, sigma, draws))
    root = torch.stack([ROOT, 0.2 * torch.eye(3)]).double().requires_grad_()
    kernel = torch.rand(2, 5, 5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x, r, k, n: correlated(x, r @ r.mT, k, n), (image, root, kernel, draws))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: gaussian(x[0], 0.1), "`image` must be"),
        (lambda x: gaussian(x, torch.ones(3)), "`sigma` must be"),
        (lambda x: gaussian(x, 0.1, torch.ones(2)), r"`gray` must be \(2,\) booleans"),
        (lambda x: gaussian(x, 0.1, torch.ones(3) > 0), r"`gray` must be .* but got \(3,\)"),
        (lambda x: speckle(x, torch.ones(2, 1)), "`sigma` must be"),
        (lambda x: correlated(x, torch.eye(3)), r"`covariance` must be \(2, 3, 3\)"),
        (
            lambda x: correlated(x, -torch.eye(3).expand(2, 3, 3)),
            "`covariance` must hold matrices without negative eigenvalues",
        ),
        (
            lambda x: correlated(x, torch.eye(3).expand(2, 3, 3), torch.ones(2, 3, 4)),
            r"`kernel` must be \(2, k, k\)",
        ),
        (
            lambda x: correlated(x, torch.eye(3).expand(2, 3, 3), torch.ones(5, 5)),
            r"`kernel` must be \(2, k, k\)",
        ),
        (
            lambda x: correlated(x, torch.eye(3).expand(2, 3, 3), torch.zeros(1, 3, 3)),
            "`kernel` must hold kernels that are not all 0",
        ),
        (lambda x: gaussian(x, 0.1, generators=generators(1)), "`generators` must be 2"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(UserError, match=message):
        call(torch.rand(2, 3, 4, 4))
