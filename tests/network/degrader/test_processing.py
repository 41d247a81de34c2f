import pytest
import torch
from torch.nn import functional as F

from wildsr.network.degrader.processing import denoised, sharpened

PIXELS, PATCHES = torch.zeros(1), torch.ones(1)  # what is compared


def step(level):
    image = torch.full((1, 3, 24, 24), 0.3)
    image[..., 12:] = 0.7
    return image + level * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("by", [PIXELS, PATCHES])
def test_denoising_quiets_flat_places_and_spares_edges(by):
    level = torch.tensor([0.03])
    noisy = step(0.03)
    quiet = denoised(noisy, torch.ones(1), level, by)
    flat = (slice(None), slice(None), slice(None), slice(0, 8))
    assert quiet[flat].std() < 0.4 * noisy[flat].std()
    rise = quiet[..., 14].mean() - quiet[..., 9].mean()
    assert rise > 0.37


def test_each_image_has_its_own_amount():
    noisy = step(0.05).repeat(2, 1, 1, 1)
    quiet = denoised(noisy, torch.tensor([0.0, 1.0]), torch.tensor([0.05, 0.05]), PIXELS.expand(2))
    assert torch.equal(quiet[0], noisy[0])
    assert not torch.equal(quiet[1], noisy[1])
    sharp = sharpened(noisy, torch.tensor([0.0, 0.7]))
    assert torch.equal(sharp[0], noisy[0])
    assert sharp[1].std() > noisy[1].std()


@pytest.mark.parametrize("by", [PIXELS, PATCHES])
def test_what_is_flat_stays(by):
    flat = torch.full((1, 3, 9, 9), 0.4)
    assert torch.allclose(sharpened(flat, torch.ones(1)), flat, atol=1e-6)
    assert torch.allclose(denoised(flat, torch.ones(1), torch.zeros(1), by), flat, atol=1e-6)


def test_without_any_amount_nothing_is_computed():
    image = step(0.01)
    assert sharpened(image, torch.zeros(1)) is image
    assert denoised(image, torch.zeros(1), torch.ones(1), PIXELS) is image


def test_each_image_is_compared_in_its_own_way():
    noisy = step(0.05).repeat(2, 1, 1, 1)
    amount, level = torch.ones(2), torch.full((2,), 0.05)
    both = denoised(noisy, amount, level, torch.tensor([0.0, 1.0]))
    for image, by in zip(both, (PIXELS, PATCHES), strict=True):
        assert torch.equal(image[None], denoised(noisy[:1], amount[:1], level[:1], by))
    assert not torch.equal(both[0], both[1])


def test_patches_are_compared_as_buades_says():
    """Weights exp(-d / h^2), with d the mean squared difference of two patches of 3 x 3."""
    image, sigma = torch.rand((1, 3, 11, 12), generator=torch.Generator().manual_seed(0)), 0.3
    patches = F.unfold(F.pad(image, [1] * 4, mode="replicate"), 3).view(1, 27, 11, 12)
    top, left = 5, 6  # a pixel whose whole search window lies inside
    total, weights = torch.zeros(3), 0.0
    for y in range(top - 3, top + 4):
        for x in range(left - 3, left + 4):
            unlike = (patches[0, :, y, x] - patches[0, :, top, left]).square().mean()
            weight = torch.exp(-unlike / (1.5 * sigma) ** 2)
            total, weights = total + weight * image[0, :, y, x], weights + weight
    found = denoised(image, torch.ones(1), torch.tensor([sigma]), PATCHES)
    assert torch.allclose(found[0, :, top, left], total / weights, atol=1e-6)


@pytest.mark.parametrize("by", [PIXELS, PATCHES])
def test_denoising_has_a_gradient(by):
    image = step(0.05).requires_grad_(True)
    denoised(image, torch.ones(1), torch.tensor([0.05]), by).square().sum().backward()
    assert float(image.grad.abs().min()) > 0
