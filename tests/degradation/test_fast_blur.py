"""The blur of whole batches, whichever way it is computed, against SciPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch.autograd import gradcheck, gradgradcheck

from wildsr.degradation import blur as module
from wildsr.degradation import correlation
from wildsr.degradation.blur import blur, separable_blur
from wildsr.degradation.correlation import along_sides, by_fft, by_matrices, directly
from wildsr.degradation.kernel import gaussian_taps, isotropic
from wildsr.error import UserError


def scipy_blur(image, kernel):
    kernel = np.broadcast_to(kernel, (len(image), *kernel.shape[1:]))
    out = [
        [ndimage.correlate(channel, k, mode="mirror") for channel in sample]
        for sample, k in zip(image.numpy(), kernel, strict=True)
    ]
    return torch.from_numpy(np.array(out))


def random(*shape, dtype=torch.float64, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


SHAPES = [(2, 3, 16, 23), (1, 1, 9, 9), (3, 2, 1, 1), (2, 1, 1, 7), (2, 3, 5, 2), (16, 1, 3, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 3, 9, 15])
def test_every_way_is_scipys_correlation(shape, size):
    image, kernel = random(*shape), random(shape[0], size, size, seed=1) - 0.3
    expected = scipy_blur(image, kernel)
    for compute in (blur, directly, by_fft):
        torch.testing.assert_close(compute(image, kernel), expected, atol=1e-10, rtol=0)
    shared = kernel[:1]
    expected = scipy_blur(image, shared)
    for compute in (blur, directly, by_fft):
        torch.testing.assert_close(compute(image, shared), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 3, 9, 15])
def test_every_separable_way_is_scipys_gaussian(shape, size):
    image, sigma = random(*shape), 0.4 + 2 * random(shape[0], seed=2)
    expected = torch.stack(
        [
            torch.from_numpy(
                ndimage.gaussian_filter(
                    sample.numpy(), s.item(), mode="mirror", radius=size // 2, axes=(1, 2)
                )
            )
            for sample, s in zip(image, sigma, strict=True)
        ]
    )
    torch.testing.assert_close(separable_blur(image, sigma, size), expected, atol=1e-12, rtol=0)
    for compute in (along_sides, by_matrices):
        out = compute(image, gaussian_taps(sigma, size))
        torch.testing.assert_close(out, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(blur(image, isotropic(sigma, size)), expected, atol=1e-10, rtol=0)


def test_correlates_and_does_not_flip():
    image = torch.arange(20.0).view(1, 1, 4, 5)
    kernel = torch.zeros(1, 3, 3)
    kernel[0, 1, 2] = 1  # the tap to the right reads the pixel to the right
    assert torch.equal(blur(image, kernel)[..., :4], image[..., 1:])
    assert torch.equal(blur(image, kernel)[..., 4], image[..., 3]), "d c b | a b c d | c b a"
    convolved = ndimage.convolve(image[0, 0].numpy(), kernel[0].numpy(), mode="mirror")
    assert not np.allclose(blur(image, kernel)[0, 0], convolved)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 18), st.integers(1, 18), st.sampled_from([3, 7, 11]), st.booleans())
def test_any_size_and_layout(height, width, size, channels_last):
    image, kernel = random(2, 3, height, width), random(2, size, size, seed=1)
    if channels_last:
        image = image.to(memory_format=torch.channels_last)
    expected = scipy_blur(image, kernel)
    torch.testing.assert_close(blur(image, kernel), expected, atol=1e-10, rtol=0)
    torch.testing.assert_close(by_fft(image, kernel), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("size", [5, 21])
def test_batch_is_its_samples(size):
    image, kernel = random(3, 3, 24, 20, dtype=torch.float32), random(3, size, size).float()
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    alone = torch.cat([blur(image[i : i + 1], kernel[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(blur(image, kernel), alone, atol=1e-6, rtol=0)
    sigma = torch.tensor([0.5, 1.0, 3.0])
    alone = torch.cat([separable_blur(image[i : i + 1], sigma[i : i + 1], size) for i in range(3)])
    torch.testing.assert_close(separable_blur(image, sigma, size), alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("compute", [blur, directly, by_fft])
@pytest.mark.parametrize(("height", "width"), [(6, 4), (2, 1)])
def test_gradients_to_image_and_kernel(compute, height, width):
    image = random(2, 2, height, width).requires_grad_()
    for count in (1, 2):
        kernel = random(count, 5, 5, seed=1).requires_grad_()
        assert gradcheck(compute, (image, kernel))
        assert gradcheck(compute, (image.detach(), kernel))
        assert gradcheck(compute, (image, kernel.detach()))


@pytest.mark.parametrize("count", [1, 2])
def test_second_derivatives_through_the_fft(count):
    image, kernel = random(2, 1, 3, 2).requires_grad_(), random(count, 3, 3).requires_grad_()
    assert gradgradcheck(lambda x, k: by_fft(x, k).square(), (image, kernel))


@pytest.mark.parametrize("compute", [along_sides, by_matrices])
@pytest.mark.parametrize(("height", "width"), [(6, 4), (2, 1)])
def test_gradients_to_image_and_sigma(compute, height, width):
    image, sigma = random(2, 2, height, width).requires_grad_(), random(2).requires_grad_()
    assert gradcheck(lambda x, s: compute(x, gaussian_taps(s + 0.5, 5)), (image, sigma))
    assert gradcheck(lambda x, s: separable_blur(x, s + 0.5, 5), (image, sigma))


def test_constants_stay():
    image = torch.full((2, 3, 30, 17), 0.7)
    kernel = isotropic(torch.tensor([1.0, 4.0]), 21)
    torch.testing.assert_close(blur(image, kernel), image)
    torch.testing.assert_close(separable_blur(image, torch.tensor([1.0, 4.0]), 21), image)


@pytest.mark.parametrize("size", [5, 21])
def test_ignores_autocast_and_raises_precision(size):
    image, sigma = random(2, 3, 200, 16).float(), torch.tensor([1.0, 2.0])
    kernel = isotropic(sigma, size)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside, separable = blur(image, kernel), separable_blur(image, sigma, size)
    assert torch.equal(inside, blur(image, kernel))
    assert torch.equal(separable, separable_blur(image, sigma, size))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        by_matrices_inside = separable_blur(image[..., :16, :], sigma, size)
    assert torch.equal(by_matrices_inside, separable_blur(image[..., :16, :], sigma, size))
    for made in (blur(image.bfloat16(), kernel), separable_blur(image.bfloat16(), sigma, size)):
        assert made.dtype == torch.float32
        torch.testing.assert_close(made, inside, atol=5e-3, rtol=0)
    assert blur(image.double(), kernel).dtype == torch.float64
    assert separable_blur(image, sigma.double(), size).dtype == torch.float64


@pytest.mark.parametrize("deterministic", [False, True])
def test_deterministic_algorithms_give_the_same(deterministic):
    image, kernel = random(2, 3, 12, 10), random(2, 5, 5, seed=1)
    expected = scipy_blur(image, kernel)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(deterministic)
    try:
        out = blur(image, kernel)
    finally:
        torch.use_deterministic_algorithms(before)
    torch.testing.assert_close(out, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("batch", "size", "learned", "way"),
    [
        (8, 15, False, "directly"),
        (8, 17, False, "by_fft"),
        (1, 9, False, "directly"),
        (1, 11, False, "by_fft"),
        (8, 5, True, "directly"),
        (8, 7, True, "by_fft"),
    ],
)
def test_the_quicker_way_is_taken(monkeypatch, batch, size, learned, way):
    for name in ("directly", "by_fft"):
        monkeypatch.setattr(module, name, lambda *_, name=name: name)
    kernel = torch.rand(batch, size, size, requires_grad=learned)
    assert blur(torch.rand(batch, 3, 20, 20), kernel) == way


@pytest.mark.parametrize(
    ("side", "size", "learned", "way"),
    [
        (56, 7, False, "by_matrices"),
        (57, 7, False, "along_sides"),
        (57, 7, True, "along_sides"),
        (184, 23, True, "by_matrices"),
        (200, 23, False, "along_sides"),
        (200, 23, True, "by_fft"),
    ],
)
def test_the_quicker_separable_way_is_taken(monkeypatch, side, size, learned, way):
    for name in ("along_sides", "by_matrices", "by_fft"):
        monkeypatch.setattr(module, name, lambda *_, name=name: name)
    sigma = torch.ones(1, requires_grad=learned)
    assert separable_blur(torch.rand(1, 1, 3, side), sigma, size) == way


def test_learned_separable_blur_of_a_large_image():
    image, sigma = random(1, 1, 3, 200), torch.tensor([2.0], dtype=torch.float64)
    expected = separable_blur(image, sigma, 23)
    torch.testing.assert_close(separable_blur(image, sigma.requires_grad_(), 23), expected)


@pytest.mark.parametrize(("length", "fast"), [(1, 1), (7, 8), (276, 288), (101, 108), (125, 125)])
def test_fast_length(length, fast):
    assert correlation.fast_length(length) == fast


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`image` must be \\(B, C, H, W\\), but got \\(3, 8, 8\\)"):
        blur(torch.rand(3, 8, 8), torch.rand(1, 5, 5))
    for shape in ((3, 5, 5), (2, 4, 4), (5, 5), (2, 3, 5)):
        with pytest.raises(UserError, match="`kernel` must be \\(2, k, k\\) or \\(1, k, k\\)"):
            blur(torch.rand(2, 3, 8, 8), torch.rand(shape))
    image = torch.rand(2, 3, 8, 8)
    with pytest.raises(UserError, match="`image`"):
        separable_blur(image[0], torch.ones(3), 5)
    with pytest.raises(UserError, match="`sigma` must be \\(2,\\) or \\(1,\\)"):
        separable_blur(image, torch.ones(3), 5)
    with pytest.raises(UserError, match="`sigma` must be positive, but got -1"):
        separable_blur(image, torch.tensor([1.0, -1.0]), 5)
    with pytest.raises(UserError, match="`size` must be an odd integer"):
        separable_blur(image, torch.ones(2), 6)
