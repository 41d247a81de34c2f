import torch

from wildsr.network.degrader.processing import denoised, sharpened


def step(level):
    image = torch.full((1, 3, 24, 24), 0.3)
    image[..., 12:] = 0.7
    return image + level * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))


def test_denoising_quiets_flat_places_and_spares_edges():
    level = torch.tensor([0.03])
    noisy = step(0.03)
    quiet = denoised(noisy, torch.ones(1), level)
    flat = (slice(None), slice(None), slice(None), slice(0, 8))
    assert quiet[flat].std() < 0.4 * noisy[flat].std()
    rise = quiet[..., 14].mean() - quiet[..., 9].mean()
    assert rise > 0.37


def test_each_image_has_its_own_amount():
    noisy = step(0.05).repeat(2, 1, 1, 1)
    quiet = denoised(noisy, torch.tensor([0.0, 1.0]), torch.tensor([0.05, 0.05]))
    assert torch.equal(quiet[0], noisy[0])
    assert not torch.equal(quiet[1], noisy[1])
    sharp = sharpened(noisy, torch.tensor([0.0, 0.7]))
    assert torch.equal(sharp[0], noisy[0])
    assert sharp[1].std() > noisy[1].std()


def test_what_is_flat_stays():
    flat = torch.full((1, 3, 9, 9), 0.4)
    assert torch.allclose(sharpened(flat, torch.ones(1)), flat, atol=1e-6)
    assert torch.allclose(denoised(flat, torch.ones(1), torch.zeros(1)), flat, atol=1e-6)


def test_without_any_amount_nothing_is_computed():
    image = step(0.01)
    assert sharpened(image, torch.zeros(1)) is image
    assert denoised(image, torch.zeros(1), torch.ones(1)) is image
