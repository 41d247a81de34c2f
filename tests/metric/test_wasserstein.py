"""The sliced Wasserstein distance: the pyramid, hand numbers, what it sees and what it cannot."""

import pytest
import torch
from scipy.stats import wasserstein_distance

from wildsr.error import UserError
from wildsr.metric import wasserstein
from wildsr.metric.wasserstein import (
    expand,
    laplacian_patches,
    laplacian_pyramid,
    sliced_wasserstein,
    smallest_side,
)


def images(count=4, size=(40, 51), seed=0, smooth=True):
    x = torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(seed))
    return wasserstein._blurred(wasserstein._blurred(x)) if smooth else x


def distance(a, b):
    return sliced_wasserstein(laplacian_patches(a), laplacian_patches(b))


@pytest.mark.parametrize("size", [(40, 51), (25, 25)])
def test_the_pyramid_adds_up_to_the_image(size):
    image = images(size=size).double()
    levels = laplacian_pyramid(image)
    total = levels[-1]
    for level in reversed(levels[:-1]):
        total = expand(total, level.shape[-2:]) + level
    torch.testing.assert_close(total, image)


def test_a_constant_has_no_details():
    fine, middle, rest = laplacian_pyramid(torch.full((1, 3, 33, 30), 0.4).double())
    assert max(fine.abs().max(), middle.abs().max()) < 1e-12
    torch.testing.assert_close(rest, torch.full_like(rest, 0.4))


def test_zero_for_equal_sets_and_its_form():
    a = images()
    patches = laplacian_patches(a)
    assert patches.shape == (4 * 128, 3, 147)
    assert sliced_wasserstein(patches, patches).tolist() == [0, 0, 0]
    assert sliced_wasserstein(patches, patches.flip(0)).max() == 0  # the order means nothing


def test_a_shift_by_hand():
    """Every value raised by one deviation: each direction moves by the sum of its entries."""
    generator = torch.Generator().manual_seed(1)
    reference = torch.randn(2000, 1, 147, generator=generator)
    deviation = reference[:, 0].unflatten(1, (3, 49)).std(dim=(0, 2), correction=0)
    moved = reference + deviation.repeat_interleave(49)
    directions = torch.randn(
        147, wasserstein.DIRECTIONS, generator=torch.Generator().manual_seed(wasserstein.SEED)
    )
    directions = directions / directions.norm(dim=0)
    expected = 1000 * directions.sum(dim=0).abs().mean()
    torch.testing.assert_close(sliced_wasserstein(moved, reference)[0], expected, rtol=1e-4, atol=0)


def test_one_direction_is_scipys(monkeypatch):
    monkeypatch.setattr(wasserstein, "DIRECTIONS", 1)
    generator = torch.Generator().manual_seed(2)
    a, b = torch.rand(2, 300, 1, 147, generator=generator)
    direction = torch.randn(147, 1, generator=torch.Generator().manual_seed(0))
    direction = direction / direction.norm()
    x, y = (wasserstein._scaled(z[:, 0], b[:, 0]) @ direction for z in (a, b))
    expected = 1000 * wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy())
    assert sliced_wasserstein(a, b)[0].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.heavy
def test_missing_noise_and_missing_contrast_are_seen():
    clean = images(8)
    generator = torch.Generator().manual_seed(3)
    noisy, again = (clean + 0.03 * torch.randn(clean.shape, generator=generator) for _ in range(2))
    fine = distance(clean, noisy)
    assert fine[0] > 5 * distance(again, noisy)[0]
    assert fine[0] > fine[2]  # white noise is in the details
    weak = 0.5 + 0.5 * (clean - 0.5)
    floor = distance(clean.flip(-1), clean)
    assert (distance(weak, clean) > 3 * floor)[:2].all()


def test_sets_of_two_sizes_are_thinned():
    a, b = images(6), images(3, seed=9)
    assert distance(a, b).isfinite().all()
    assert torch.equal(distance(a, b), distance(a, b))


def test_flat_images_are_no_division_by_zero():
    flat, other = torch.full((1, 3, 30, 30), 0.5), torch.full((1, 3, 30, 30), 0.6)
    assert distance(flat, flat).tolist() == [0, 0, 0]
    found = distance(other, flat)
    assert found[:2].max() < 1  # no details in either
    assert found[2] > 1000


def test_mistakes():
    assert smallest_side(3) == 25
    with pytest.raises(UserError, match=r"at least 25 pixels for 3 levels, but got 24 x 90"):
        laplacian_patches(torch.rand(1, 3, 24, 90))
    with pytest.raises(UserError, match=r"\(B, 3, H, W\), but got \(3, 40, 40\)"):
        laplacian_patches(torch.rand(3, 40, 40))
    patches = torch.rand(5, 3, 147)
    with pytest.raises(UserError, match=r"\(5, 3, 147\) and \(5, 2, 147\)"):
        sliced_wasserstein(patches, patches[:, :2])
    with pytest.raises(UserError, match="finite"):
        sliced_wasserstein(patches / 0, patches)
