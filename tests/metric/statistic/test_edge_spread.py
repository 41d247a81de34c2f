"""Steps of known blur and direction."""

import math

import pytest
import torch

from wildsr.metric.statistic.edge_spread import DIRECTIONS, edge_spread


def step(width, angle=0.0, size=96, contrast=100.0):
    """Stripes 24 pixels wide with edges blurred by a Gaussian, across ``angle`` degrees."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    along = x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle)) + 0.5
    distance = (along % 48 - 24).abs() - 12  # from the nearest edge, signed
    gray = 120 + contrast / 2 * torch.erf(distance / (width * math.sqrt(2)))
    return gray.expand(3, -1, -1)


@pytest.mark.parametrize("width", [0.8, 1.0, 1.5])
def test_the_rise_of_a_gaussian_step(width):
    found = edge_spread(step(width, angle=20))[0].item()
    assert found == pytest.approx(2.563 * width, rel=0.1)


def test_contrast_does_not_matter_and_little_noise_does_not_either():
    noise = torch.randn(3, 96, 96, generator=torch.Generator().manual_seed(0))
    plain = edge_spread(step(1.0, 20))[0].item()
    assert edge_spread(step(1.0, 20, contrast=50))[0].item() == pytest.approx(plain, rel=1e-6)
    assert edge_spread(step(1.0, 20) + 4 * noise)[0].item() == pytest.approx(plain, rel=0.12)


def test_blurs_are_ordered():
    rises = [edge_spread(step(width, 20))[0].item() for width in (0.3, 0.5, 0.8, 1.2, 1.8)]
    assert rises == sorted(rises)
    assert len(set(rises)) == len(rises)


@pytest.mark.parametrize("number", range(len(DIRECTIONS)))
def test_the_direction_is_that_across_the_edge(number):
    found = edge_spread(step(1.0, angle=45 * number))
    known = [i for i in range(len(DIRECTIONS)) if not found[1 + i].isnan()]
    assert known == [number]


def test_without_edges_there_is_no_number():
    assert edge_spread(torch.full((3, 64, 64), 90.0)).isnan().all()
