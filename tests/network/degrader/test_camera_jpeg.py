"""JPEG of a learned quality: its distribution, its grid of blocks, its gradient."""

import pytest
import torch
from torch.nn import functional as F

from wildsr.degradation.jpeg.jpeg import jpeg
from wildsr.error import UserError
from wildsr.network.degrader.camera_jpeg import STEP, LearnedJPEG


def picture(height=32, width=32, batch=1):
    """Edges, gradients and a little noise."""
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.arange(height) / 9, torch.arange(width) / 7, indexing="ij")
    base = 0.5 + 0.3 * torch.sin(x * y) + 0.1 * torch.sign(torch.sin(3 * x + y))
    return (base + 0.03 * torch.randn(batch, 3, height, width)).clamp(0, 1)


NONE = torch.zeros(2, dtype=torch.long)


def test_the_quality_is_distributed_as_stated():
    torch.manual_seed(0)
    made = LearnedJPEG(62, 8)
    normal, _ = made.draws(20000, torch.zeros(1))
    quality = made.quality(normal)
    assert quality.mean().item() == pytest.approx(62, abs=0.2)
    assert quality.std().item() == pytest.approx(8, rel=0.03)
    assert made.quality(torch.tensor([-1.0, 0.0, 2.0])).tolist() == pytest.approx([54, 62, 78])


def test_every_phase_is_drawn():
    torch.manual_seed(0)
    made = LearnedJPEG()
    phases = torch.stack([made.draws(1, torch.zeros(1))[1] for _ in range(400)])
    for phase in phases.T:
        assert sorted(phase.unique().tolist()) == list(range(16))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_without_a_phase_it_is_jpeg(subsampling):
    image, normal = picture(batch=2), torch.tensor([-1.0, 1.5])
    made = LearnedJPEG(70, 6, subsampling)
    expected = jpeg(image, torch.tensor([64.0, 79.0]), subsampling)
    with torch.no_grad():
        torch.testing.assert_close(made(image, normal, NONE), expected)
    torch.testing.assert_close(made(image, normal, NONE), expected)


def test_the_grid_moves_with_the_phase():
    image, made = picture(), LearnedJPEG(30)
    top, left = 5, 11
    larger = F.pad(image, (left, 48 - 32 - left, top, 48 - 32 - top), "reflect")
    expected = jpeg(larger, 30.0)[..., top : top + 32, left : left + 32]
    found = made(image, torch.zeros(1), torch.tensor([top, left]))
    torch.testing.assert_close(found, expected)


def test_blocks_begin_where_the_phase_says():
    made, ramp = LearnedJPEG(10), torch.linspace(0.2, 0.6, 64).expand(1, 3, 32, 64)
    found = made(ramp, torch.zeros(1), torch.tensor([0, 11]))
    jumps = (found[0, 0, 0, 1:] - found[0, 0, 0, :-1]).abs()
    edges = [column for column in range(63) if (column + 1 + 11) % 8 == 0]
    assert set(jumps.topk(4).indices.tolist()) <= set(edges)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 5), (8, 24), (17, 33)])
def test_any_size_at_any_phase(size):
    image = torch.full((2, 3, *size), 0.4)
    found = LearnedJPEG(50)(image, torch.randn(2), torch.tensor([15, 9]))
    torch.testing.assert_close(found, image, atol=1.01 / 255, rtol=0)


def test_the_gradient_is_that_of_a_secant():
    image, weight = picture(batch=2), torch.randn(2, 3, 32, 32)
    made = LearnedJPEG(60, 4)
    normal, phase = torch.tensor([0.5, -1.0]), torch.tensor([3, 0])
    (made(image, normal, phase) * weight).sum().backward()

    @torch.no_grad()
    def total(quality):
        """The same sum, each image at its own quality."""
        larger = F.pad(image, (0, 0, 3, 13), "reflect")
        return (jpeg(larger, quality)[..., 3:35, :] * weight).sum((1, 2, 3))

    quality = torch.tensor([62.0, 56.0])
    slopes = (total(quality + STEP) - total(quality - STEP)) / (2 * STEP)
    # quality = 100 sigmoid(mean) + exp(spread) z, with the derivative 100 s (1 - s) = 24
    assert made.mean.grad.item() == pytest.approx(24 * slopes.sum().item(), rel=1e-3)
    assert made.spread.grad.item() == pytest.approx(4 * (slopes @ normal).item(), rel=1e-3)


def test_gradient_passes_to_the_image():
    image = picture().requires_grad_()
    LearnedJPEG(60)(image, torch.zeros(1), NONE).sum().backward()
    torch.testing.assert_close(image.grad, torch.ones_like(image), atol=1e-3, rtol=0)


def test_a_quality_can_be_found_by_gradient():
    torch.manual_seed(0)
    made, image = LearnedJPEG(85, 0.01), picture(48, 48, 2)
    target = jpeg(image, 55.0)
    adam = torch.optim.Adam([made.mean], 0.05)
    for _ in range(100):
        adam.zero_grad()
        (made(image, torch.zeros(2), NONE) - target).square().sum().backward()
        adam.step()
    assert 100 * made.mean.sigmoid().item() == pytest.approx(55, abs=3)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ((0.0,), "`jpeg`"),
        ((100.0,), "`jpeg`"),
        ((50.0, 0.0), "`jpeg_spread`"),
        ((50.0, 5.0, "4:1:1"), "`subsampling`.*4:2:0"),
    ],
)
def test_mistakes(wrong, named):
    with pytest.raises(UserError, match=named):
        LearnedJPEG(*wrong)


@pytest.mark.parametrize("normal", [-60.0, -3.0, 3.0, 60.0])
def test_gradients_are_finite_for_qualities_beyond_both_ends(normal):
    coder = LearnedJPEG(quality=97.0, spread=8.0)
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    coded = coder(image, torch.tensor([normal]), torch.tensor([3, 5]))
    coded.square().mean().backward()
    assert torch.isfinite(torch.stack([coder.mean.grad, coder.spread.grad])).all()
