"""Kernels against their formulas in NumPy, one sample at a time, and against their moments."""

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from torch.autograd import gradcheck

from wildsr.degradation.kernel import (
    KINDS,
    anisotropic,
    gaussian_taps,
    generalized,
    isotropic,
    plateau,
    sinc,
)
from wildsr.error import UserError

# Three samples of every kind, in the order of the arguments.
PARAMETERS = {
    "isotropic": [[0.4, 1.3, 3.0]],
    "anisotropic": [[0.6, 2.0, 3.1], [1.5, 0.8, 3.0], [0.3, -1.2, 4.0]],
    "generalized": [[0.6, 2.0, 3.1], [1.5, 0.8, 3.0], [0.3, -1.2, 4.0], [0.5, 1.0, 3.3]],
    "plateau": [[0.6, 2.0, 3.1], [1.5, 0.8, 3.0], [0.3, -1.2, 4.0], [0.7, 1.0, 2.0]],
    "sinc": [[0.3, 1.1, math.pi]],
    "motion": [[0.3, 4.3, 7.7], [0.4, 2.0, -1.0]],
    "disc": [[0.7, 2.2, 3.9]],
    "delta": [[0.3, -1.4, 2.0], [0.6, 0.8, -2.7]],
}
EVERY = pytest.mark.parametrize("kind", KINDS)


def parameters(kind, dtype=torch.float64):
    return [torch.tensor(values, dtype=dtype) for values in PARAMETERS[kind]]


def mahalanobis(x, y, sigma_x, sigma_y, theta):
    rotation = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    covariance = rotation @ np.diag([sigma_x**2, sigma_y**2]) @ rotation.T
    return np.array([x, y]) @ np.linalg.inv(covariance) @ np.array([x, y])


def ring(x, y, cutoff):
    r = math.hypot(x, y)
    if r == 0:
        return cutoff**2 / (4 * math.pi)
    return cutoff / (2 * math.pi * r) * special.j1(cutoff * r)


FORMULAS = {
    "isotropic": lambda x, y, s: math.exp(-(x * x + y * y) / (2 * s * s)),
    "anisotropic": lambda x, y, a, b, t: math.exp(-0.5 * mahalanobis(x, y, a, b, t)),
    "generalized": lambda x, y, a, b, t, p: math.exp(-0.5 * mahalanobis(x, y, a, b, t) ** p),
    "plateau": lambda x, y, a, b, t, p: 1 / (1 + mahalanobis(x, y, a, b, t) ** p),
    "sinc": ring,
}


@pytest.mark.parametrize("kind", FORMULAS)
@pytest.mark.parametrize("size", [1, 3, 9])
def test_equals_the_published_formula(kind, size):
    made = KINDS[kind](*parameters(kind), size=size)
    taps = range(-(size // 2), size // 2 + 1)
    for kernel, *values in zip(made, *PARAMETERS[kind], strict=True):
        expected = np.array([[FORMULAS[kind](x, y, *values) for x in taps] for y in taps])
        # torch.special.bessel_j1 is off by up to 5e-7, in double precision too.
        tolerance = {"rtol": 0, "atol": 2e-7} if kind == "sinc" else {"rtol": 1e-9, "atol": 1e-14}
        np.testing.assert_allclose(kernel, expected / expected.sum(), **tolerance)


@EVERY
def test_batch_is_its_samples_and_sums_to_1(kind):
    values = parameters(kind, torch.float32)
    made = KINDS[kind](*values, size=7)
    assert made.shape == (3, 7, 7)
    assert made.dtype == torch.float32
    torch.testing.assert_close(made.sum((1, 2)), torch.ones(3), atol=1e-6, rtol=0)
    alone = [KINDS[kind](*(v[i : i + 1] for v in values), size=7) for i in range(3)]
    torch.testing.assert_close(made, torch.cat(alone), atol=1e-7, rtol=0)
    assert not torch.allclose(made[0], made[1], atol=1e-2)


@EVERY
def test_single_precision_is_that_of_double_precision(kind):
    single = KINDS[kind](*parameters(kind, torch.float32), size=15)
    double = KINDS[kind](*parameters(kind), size=15)
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, atol=2e-6, rtol=0)


@EVERY
def test_half_precision_parameters_make_single_precision_kernels(kind):
    halves = parameters(kind, torch.bfloat16)
    if kind == "sinc":
        halves[0] = halves[0].clamp(max=3.125)  # pi in bfloat16 is 3.140625, within the range
    made = KINDS[kind](*halves, size=7)
    assert made.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = KINDS[kind](*(v.float() for v in halves), size=7)
    assert torch.equal(inside, made)


@EVERY
def test_gradients(kind):
    leaves = [v.requires_grad_() for v in parameters(kind)]
    if kind == "sinc":
        leaves[0] = torch.tensor([0.3, 1.1, 3.0], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda *v: KINDS[kind](*v, size=7), leaves)
    slopes = torch.autograd.grad(KINDS[kind](*leaves, size=7)[:, 3, 4].sum(), leaves)
    assert all(slope.any() for slope in slopes)


@EVERY
def test_size_1_is_a_single_1(kind):
    values = parameters(kind)
    values = [torch.zeros_like(v) for v in values] if kind == "delta" else values
    assert torch.equal(KINDS[kind](*values, size=1), torch.ones(3, 1, 1).double())


def moments(kernel):
    taps = torch.arange(kernel.shape[-1], dtype=kernel.dtype) - kernel.shape[-1] // 2
    across, down = kernel.sum(1), kernel.sum(2)
    mean = torch.stack([(across * taps).sum(1), (down * taps).sum(1)], 1)
    xx, yy = (across * taps**2).sum(1), (down * taps**2).sum(1)
    xy = (kernel * taps * taps[:, None]).sum((1, 2))
    return mean, torch.stack([xx, xy, yy], 1)


@settings(deadline=None, max_examples=20)
@given(a=st.floats(1, 4), b=st.floats(1, 4), theta=st.floats(-4, 4))
def test_anisotropic_has_the_covariance_that_was_asked_for(a, b, theta):
    values = [torch.tensor([v], dtype=torch.float64) for v in (a, b, theta)]
    mean, covariance = moments(anisotropic(*values, size=51))
    cos, sin = math.cos(theta), math.sin(theta)
    expected = [(a * cos) ** 2 + (b * sin) ** 2, (a * a - b * b) * sin * cos]
    expected += [(a * sin) ** 2 + (b * cos) ** 2]
    torch.testing.assert_close(mean, torch.zeros(1, 2).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(
        covariance, torch.tensor([expected], dtype=torch.float64), atol=1e-4, rtol=1e-4
    )


def test_theta_turns_from_x_towards_y_downwards():
    long, short = torch.tensor([3.0]), torch.tensor([0.5])
    kernel = anisotropic(long, short, torch.tensor([math.pi / 4]), 9)[0]
    assert kernel[6, 6] > 100 * kernel[2, 6], "below to the right, and not above to the right"


@EVERY
def test_point_symmetry(kind):
    if kind == "delta":
        pytest.skip("a shift has a side")
    made = KINDS[kind](*parameters(kind), size=9)
    torch.testing.assert_close(made, made.flip(1, 2), atol=1e-14, rtol=0)


def test_isotropic_is_the_product_of_its_taps_and_every_shape_of_beta_1():
    sigma, theta = torch.tensor([0.7, 2.0]).double(), torch.tensor([0.4, 1.0]).double()
    expected = isotropic(sigma, 9)
    taps = gaussian_taps(sigma, 9)
    torch.testing.assert_close(taps.sum(1), torch.ones(2).double())
    torch.testing.assert_close(torch.einsum("bi,bj->bij", taps, taps), expected)
    torch.testing.assert_close(anisotropic(sigma, sigma, theta, 9), expected)
    torch.testing.assert_close(generalized(sigma, sigma, theta, torch.ones(2), 9), expected)


def test_narrow_kernels_and_steep_betas_are_a_point_with_finite_gradients():
    for function in (generalized, plateau):
        leaves = [torch.tensor([v], requires_grad=True) for v in (1e-3, 1e-3, 0.3, 20.0)]
        kernel = function(*leaves, size=21)
        kernel[0, 10, 10].backward()
        assert kernel[0, 10, 10] == 1
        assert all(leaf.grad.isfinite().all() for leaf in leaves)


def test_sinc_passes_low_frequencies_and_stops_high_ones():
    response = torch.fft.rfft2(sinc(torch.tensor([1.2]), 101), s=(256, 256)).abs()[0]
    frequency = torch.arange(129) * 2 * math.pi / 256
    assert response[0][frequency < 1.0].sub(1).abs().max() < 0.1
    assert response[0][frequency > 1.4].abs().max() < 0.1
    assert sinc(torch.tensor([1.2]), 21).min() < 0, "it rings"


def test_sinc_needs_no_protection_from_a_sum_of_0():
    for size in range(1, 41, 2):
        kernel = sinc(torch.linspace(1e-4, math.pi, 400), size)
        assert kernel.isfinite().all()
        assert kernel[:, size // 2, size // 2].max() <= 1 + 1e-5, "sum / middle is at least 1"


def test_second_derivatives_of_sinc_are_refused_and_not_wrong():
    cutoff = torch.tensor([1.0], requires_grad=True)
    (first,) = torch.autograd.grad(sinc(cutoff, 5)[0, 2, 3], cutoff, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.backward()


@EVERY
def test_shapes_and_sizes_that_do_not_fit_are_named(kind):
    values = parameters(kind)
    for size in (0, 4, -3, 7.0, True):
        with pytest.raises(UserError, match="`size` must be an odd integer"):
            KINDS[kind](*values, size=size)
    name = list(inspect.signature(KINDS[kind]).parameters)[-2]
    for wrong in (0.5, values[-1][:, None], values[-1][0], torch.ones(3, dtype=torch.int64)):
        with pytest.raises(UserError, match=f"`{name}` must be a floating point tensor"):
            KINDS[kind](*values[:-1], wrong, size=7)
    if len(values) > 1:
        with pytest.raises(UserError, match=f"`{name}` must have one value .* 3 samples"):
            KINDS[kind](*values[:-1], values[-1][:2], size=7)


@pytest.mark.parametrize(
    ("kind", "position", "value", "message"),
    [
        ("isotropic", 0, -1.5, "`sigma` must be positive, but got -1.5"),
        ("isotropic", 0, math.nan, "`sigma` must be positive, but got nan"),
        ("anisotropic", 0, 0.0, "`sigma_x` must be positive, but got 0"),
        ("anisotropic", 1, -2.0, "`sigma_y` must be positive, but got -2"),
        ("generalized", 3, 0.0, "`beta` must be positive"),
        ("plateau", 1, -1.0, "`sigma_y` must be positive"),
        ("sinc", 0, 0.0, "`cutoff` must be above 0 and at most pi, but got 0"),
        ("sinc", 0, 3.2, "`cutoff` must be above 0 and at most pi, but got 3.2"),
        ("motion", 0, -0.1, "`length` must be at least 0, but got -0.1"),
        ("disc", 0, -0.1, "`radius` must be at least 0, but got -0.1"),
        ("delta", 0, 3.5, "`shift_x` must be from -3 to 3, but got 3.5"),
        ("delta", 1, -4.0, "`shift_y` must be from -3 to 3, but got -4"),
    ],
)
def test_values_out_of_range_are_named(kind, position, value, message):
    values = parameters(kind)
    values[position][1] = value
    with pytest.raises(UserError, match=message):
        KINDS[kind](*values, size=7)
