"""Motion, defocus and displacement against brute force and against what they do to images."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch.autograd import gradcheck

from wildsr.degradation.blur import blur
from wildsr.degradation.kernel import anisotropic
from wildsr.degradation.optics import delta, disc, motion, shift
from wildsr.error import UserError


def one(*values):
    return [torch.tensor([value], dtype=torch.float64) for value in values]


def mean_position(kernel):
    taps = torch.arange(kernel.shape[-1], dtype=kernel.dtype) - kernel.shape[-1] // 2
    return (kernel.sum(1) * taps).sum(1), (kernel.sum(2) * taps).sum(1)


@settings(deadline=None, max_examples=15)
@given(length=st.floats(0, 8), angle=st.floats(-4, 4))
def test_motion_is_the_mean_along_its_path(length, angle):
    image = np.random.default_rng(0).random((15, 15))
    t = (np.arange(4000) + 0.5) / 4000 - 0.5
    path = [7 + t * length * math.sin(angle), 7 + t * length * math.cos(angle)]
    expected = ndimage.map_coordinates(image, path, order=1).mean()
    kernel = motion(*one(length, angle), size=15)
    assert (kernel[0].numpy() * image).sum() == pytest.approx(expected, abs=1e-5)
    assert kernel.min() >= 0


def test_motion_by_hand():
    # A path of 2 pixels along x: the integral of a hat of width 2 over [-1, 1], [-2, 0] and [0, 2].
    kernel = motion(*one(2.0, 0.0), size=5)[0]
    expected = torch.tensor([0.0, 0.25, 0.5, 0.25, 0.0], dtype=torch.float64)
    torch.testing.assert_close(kernel[2], expected)
    assert kernel[[0, 1, 3, 4]].abs().max() == 0
    down = motion(*one(2.0, math.pi / 2), size=5)[0]
    torch.testing.assert_close(down[:, 2], expected)
    assert motion(*one(0.0, 0.7), size=5)[0, 2, 2] == 1


def test_motion_turns_from_x_towards_y_downwards():
    kernel = motion(*one(4.0, math.pi / 4), size=5)[0]
    assert kernel[3, 3] > 0.1
    assert kernel[1, 3] == 0


@settings(deadline=None, max_examples=15)
@given(radius=st.floats(0.05, 4.4))
def test_disc_is_the_covered_area(radius):
    fine = (np.arange(9 * 200) + 0.5) / 200 - 4.5
    covered = (fine[:, None] ** 2 + fine**2 <= radius**2).reshape(9, 200, 9, 200).mean((1, 3))
    kernel = disc(*one(radius), size=9)[0]
    if radius <= 0.5:
        assert kernel[4, 4] == 1
    else:  # the points of the reference are too few for smaller ones
        np.testing.assert_allclose(kernel, covered / covered.sum(), atol=2e-3 / covered.sum())
    if radius >= math.sqrt(0.5):
        assert kernel[4, 4] == pytest.approx(1 / (math.pi * radius**2), rel=1e-9)


def test_disc_by_hand():
    # Radius 1: the middle pixel is covered; the pixel to its right from x = 0.5 to the arc. Twice
    # the integral of sqrt(1 - s^2) - 0 over y in [0, 0.5] is sqrt(3) / 4 + pi / 6, less 0.5.
    kernel = disc(*one(1.0), size=3)[0]
    right = math.sqrt(3) / 4 + math.pi / 6 - 0.5
    corner = (math.pi - 1 - 4 * right) / 4
    area = torch.tensor([[corner, right, corner], [right, 1, right], [corner, right, corner]])
    torch.testing.assert_close(kernel, area.double() / math.pi, atol=1e-7, rtol=0)
    assert disc(*one(0.0), size=3)[0, 1, 1] == 1


def test_disc_larger_than_the_window_is_flat():
    torch.testing.assert_close(disc(*one(9.0), size=5), torch.full((1, 5, 5), 0.04).double())


@pytest.mark.parametrize("radius", [0.25, 0.5, 0.6, math.sqrt(0.5), 1.0, 1.5, 2.3, 7.0])
def test_disc_has_gradients_on_edges_and_within_the_middle_pixel(radius):
    (leaf,) = one(radius)
    (slope,) = torch.autograd.grad(disc(leaf.requires_grad_(), 7)[0, 3, 3], leaf)
    ahead, behind = disc(*one(radius + 1e-8), 7), disc(*one(max(radius - 1e-8, 0)), 7)
    assert slope.item() == pytest.approx((ahead - behind)[0, 3, 3].item() / 2e-8, abs=2e-3)


def test_delta_reads_the_image_at_the_shift():
    y, x = torch.meshgrid(*[torch.arange(20.0).double()] * 2, indexing="ij")
    parabola = (0.3 * x * x - x * y + 0.1 * y * y + x)[None, None]
    moved = blur(parabola, delta(*one(0.7, -1.25), size=9))
    right, down = x + 0.7, y - 1.25
    expected = 0.3 * right * right - right * down + 0.1 * down * down + right
    torch.testing.assert_close(moved[0, 0, 6:-6, 6:-6], expected[6:-6, 6:-6])


def test_delta_by_hand():
    expected = torch.tensor([0.0, -0.0625, 0.5625, 0.5625, -0.0625], dtype=torch.float64)
    kernel = delta(*one(0.5, 0.0), size=5)[0]
    torch.testing.assert_close(kernel[2], expected)
    assert kernel[[0, 1, 3, 4]].abs().max() == 0
    whole = delta(*one(-2.0, 1.0), size=5)[0]
    assert whole[3, 0] == 1
    assert whole.abs().sum() == 1


def test_shift_moves_the_mean_and_keeps_the_spread():
    kernel = anisotropic(*(torch.tensor([v, v]).double() for v in (1.5, 1.0, 0.6)), size=21)
    dx, dy = torch.tensor([0.4, -2.0]).double(), torch.tensor([-1.3, 3.0]).double()
    moved = shift(kernel, dx, dy)
    for got, expected in zip(mean_position(moved), (dx, dy), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(moved[1, 3:, :-2], kernel[1, :-3, 2:], atol=1e-7, rtol=0)
    taps = torch.arange(21).double() - 10
    spread = [
        (k.sum(0) * taps**2).sum() - (k.sum(0) * taps).sum() ** 2 for k in (kernel[0], moved[0])
    ]
    assert spread[1].item() == pytest.approx(spread[0].item(), rel=1e-4)


def test_shifting_a_point_is_delta():
    point = torch.zeros(1, 9, 9).double()
    point[0, 4, 4] = 1
    torch.testing.assert_close(shift(point, *one(1.3, -0.4)), delta(*one(1.3, -0.4), size=9))


def test_shift_has_gradients():
    kernel = torch.rand(2, 5, 5, dtype=torch.float64, requires_grad=True)
    dx, dy = (
        torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in ([0.3, 1.2], [-0.6, 0.1])
    )
    assert gradcheck(shift, (kernel, dx, dy))


def test_shift_mistakes():
    two = torch.zeros(2)
    for shape in ((5, 5), (2, 5, 3), (3, 5, 5)):
        with pytest.raises(UserError, match="`kernel` must be \\(2, k, k\\)"):
            shift(torch.rand(shape), two, two)
    with pytest.raises(UserError, match="`size`"):
        shift(torch.rand(2, 4, 4), two, two)
    with pytest.raises(UserError, match=r"`dy` must be from -2 to 2, but got 2\.5"):
        shift(torch.rand(2, 5, 5), two, two + 2.5)
    with pytest.raises(UserError, match="`dy` must have one value"):
        shift(torch.rand(2, 5, 5), two, torch.zeros(3))
