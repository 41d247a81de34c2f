import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from wildsr.degradation.blur import blur_and_sample, pinned_softmax
from wildsr.error import UserError


def direct_sum(hr, kernel, scale, offset):
    """The definition, tap by tap, with NumPy's reflection."""
    k, (h, w) = kernel.shape[-1], hr.shape[-2:]
    r = k // 2
    padded = np.pad(hr.numpy(), [(0, 0), (0, 0), (r, r), (r, r)], mode="reflect")
    out = 0
    for u in range(k):
        for v in range(k):
            rows = slice(offset + u, offset + u + h, scale)
            columns = slice(offset + v, offset + v + w, scale)
            taps = kernel[:, u, v].numpy()[:, None, None, None]
            out = out + taps * padded[..., rows, columns][..., : h // scale, : w // scale]
    return torch.from_numpy(out)


@pytest.mark.parametrize("kernels", [1, 3])
@pytest.mark.parametrize(
    ("scale", "offset", "size", "height", "width"),
    [(1, 0, 5, 7, 6), (2, 1, 7, 8, 12), (3, 1, 21, 33, 30), (4, 1, 21, 48, 40), (4, 3, 21, 8, 4)],
)
def test_equals_the_direct_sum(kernels, scale, offset, size, height, width):
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(3, 2, height, width, generator=generator, dtype=torch.float64)
    kernel = torch.rand(kernels, size, size, generator=generator, dtype=torch.float64)
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    expected = direct_sum(hr, kernel, scale, offset)
    assert expected.shape[2:] == (height // scale, width // scale)
    torch.testing.assert_close(
        blur_and_sample(hr, kernel, scale, offset), expected, rtol=0, atol=1e-10
    )
    single = blur_and_sample(hr.float(), kernel.float(), scale, offset)
    torch.testing.assert_close(single, expected.float(), rtol=0, atol=1e-6)


def test_correlates_and_samples_at_the_offset():
    hr = torch.arange(64.0).view(1, 1, 8, 8)
    kernel = torch.zeros(1, 3, 3)
    kernel[0, 1, 2] = 1  # the tap right of the middle: the pixel right of the sampled one
    expected = hr[..., 1::4, 2::4]  # (scale - 1) // 2 = 1 by default, and one to the right
    torch.testing.assert_close(blur_and_sample(hr, kernel, 4), expected, atol=2e-5, rtol=0)
    expected = hr[..., 2::4, 3::4]
    torch.testing.assert_close(
        blur_and_sample(hr, kernel, 4, offset=2), expected, atol=2e-5, rtol=0
    )


def test_gradients():
    hr = torch.rand(2, 2, 6, 4, dtype=torch.float64, requires_grad=True)
    for kernels in (1, 2):
        kernel = torch.rand(kernels, 5, 5, dtype=torch.float64, requires_grad=True)
        assert gradcheck(lambda x, k: blur_and_sample(x, k, 2), (hr, kernel))


def test_ignores_autocast_and_raises_precision():
    hr, kernel = torch.rand(1, 3, 16, 16), torch.full((1, 5, 5), 0.04)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = blur_and_sample(hr, kernel, 4)
    assert torch.equal(inside, blur_and_sample(hr, kernel, 4))
    assert blur_and_sample(hr.bfloat16(), kernel.bfloat16(), 4).dtype == torch.float32


@pytest.mark.parametrize(
    ("hr", "kernel", "offset", "argument"),
    [
        ((1, 3, 9, 8), (1, 5, 5), 0, "hr"),
        ((3, 8, 8), (1, 5, 5), 0, "hr"),
        ((2, 3, 8, 8), (3, 5, 5), 0, "kernel"),
        ((2, 3, 8, 8), (2, 4, 4), 0, "kernel"),
        ((2, 3, 8, 8), (5, 5), 0, "kernel"),
        ((2, 3, 8, 8), (1, 5, 5), 4, "offset"),
    ],
)
def test_mistakes_are_named(hr, kernel, offset, argument):
    with pytest.raises(UserError, match=f"Argument `{argument}` must be"):
        blur_and_sample(torch.rand(hr), torch.rand(kernel), 4, offset)


def centre_of_mass(kernel):
    size = kernel.shape[-1]
    taps = torch.arange(size, dtype=kernel.dtype) - size // 2
    return (kernel.sum(1) * taps).sum(1), (kernel.sum(2) * taps).sum(1)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([0.0, 0.5, -1.25]), st.floats(0, 4))
def test_centre_of_mass_stays_where_it_is_put(seed, centre, spread):
    logits = spread * torch.randn(2, 11, 11, generator=torch.Generator().manual_seed(seed))
    kernel = pinned_softmax(logits, centre)
    assert (kernel > 0).all()
    torch.testing.assert_close(kernel.sum((1, 2)), torch.ones(2))
    for position in centre_of_mass(kernel):
        torch.testing.assert_close(position, torch.full((2,), centre), atol=1e-4, rtol=0)


def test_pinning_shifts_a_gaussian_without_changing_it():
    y, x = torch.meshgrid(*[torch.arange(21.0) - 10] * 2, indexing="ij")

    def logits(a, b):
        return -((x - a) ** 2 / 6 + (y - b) ** 2 / 3 + (x - a) * (y - b) / 8)[None]

    pinned = pinned_softmax(logits(1.7, -2.4), 0.5)
    expected = torch.softmax(logits(0.5, 0.5).flatten(), 0).view(1, 21, 21)
    torch.testing.assert_close(pinned, expected, atol=1e-6, rtol=1e-3)


def test_pinning_has_the_gradient_of_the_solution():
    logits = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: pinned_softmax(x, 0.25), (logits,))


@pytest.mark.parametrize("height", [5.0, 12.0, 25.0])
def test_spikes_and_narrow_blurs_far_off_are_pinned_too(height):
    logits = torch.zeros(2, 21, 21)
    logits[0, 4, 15] = height
    taps = torch.arange(21.0) - 10
    logits[1] = -height * ((taps - 6) ** 2 + (taps[:, None] + 7) ** 2) / 8
    for position in centre_of_mass(pinned_softmax(logits, 0.5)):
        torch.testing.assert_close(position, torch.full((2,), 0.5), atol=1e-3, rtol=0)
