"""Correlated noise: its variance is kept and its correlation is the one that is stated."""

import math

import pytest
import torch

from wildsr.network.degrader.camera_noise import RADIUS, correlated


@pytest.mark.parametrize("width", [0.25, 0.7, 1.3])
def test_the_variance_stays_and_neighbours_are_alike(width):
    torch.manual_seed(0)
    found = correlated(torch.randn(2, 3, 400, 400), torch.tensor(width))
    assert found.shape == (2, 3, 400 - 2 * RADIUS, 400 - 2 * RADIUS)
    assert found.std().item() == pytest.approx(1, abs=0.01)
    # The autocorrelation of a Gaussian of width w is a Gaussian of width sqrt(2) w.
    taps = torch.exp(-0.5 * (torch.arange(-4.0, 5.0) / width) ** 2)
    for distance in (1, 2):
        expected = ((taps[distance:] * taps[:-distance]).sum() / (taps**2).sum()).item()
        if width > 0.5:  # the autocorrelation of a Gaussian is one, sqrt(2) as wide
            assert expected == pytest.approx(math.exp(-(distance**2) / (4 * width**2)), abs=0.02)
        for dim in (2, 3):
            length = found.shape[dim] - distance
            here, there = found.narrow(dim, 0, length), found.narrow(dim, distance, length)
            assert (here * there).mean().item() == pytest.approx(expected, abs=0.015)
    channels = (found[:, 0] * found[:, 1]).mean().item()
    assert abs(channels) < 0.02, "channels stay independent"


def test_borders_have_the_variance_of_the_middle():
    torch.manual_seed(0)
    found = correlated(torch.randn(20000, 1, 3 + 2 * RADIUS, 3 + 2 * RADIUS), torch.tensor(1.0))
    torch.testing.assert_close(found.var(0), torch.ones(1, 3, 3), atol=0.05, rtol=0)


def test_by_hand():
    """One bright pixel becomes the filter itself, of sum of squares 1."""
    noise = torch.zeros(1, 1, 1 + 4 * RADIUS, 1 + 4 * RADIUS)
    noise[..., 2 * RADIUS, 2 * RADIUS] = 1
    found = correlated(noise, torch.tensor(0.8))[0, 0]
    taps = torch.exp(-0.5 * (torch.arange(-RADIUS, RADIUS + 1) / 0.8) ** 2)
    expected = taps[:, None] * taps[None]
    torch.testing.assert_close(found, expected / expected.square().sum().sqrt())


def test_gradient():
    torch.manual_seed(0)
    noise = torch.randn(1, 2, 10, 9, dtype=torch.float64)
    width = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(correlated, (noise.requires_grad_(), width))
