import pytest
import torch

from wildsr.error import UserError
from wildsr.loss.moments import LocalMoments

LOSS = LocalMoments()


def noisy(seed, std, count=8):
    """Gray images with noise."""
    generator = torch.Generator().manual_seed(seed)
    return 0.5 + std * torch.randn(count, 3, 32, 32, generator=generator)


def test_is_nothing_on_average_where_both_are_alike():
    found = torch.stack([LOSS(noisy(2 * n, 0.02), noisy(2 * n + 1, 0.02)) for n in range(12)])
    error = found.std() / len(found) ** 0.5
    assert abs(found.mean()) < 3 * error
    assert LOSS(noisy(0, 0.02), noisy(1, 0.03)) > found.max() + 10 * found.std()


def test_its_gradient_leads_to_the_noise_of_the_real_ones():
    level = torch.tensor(0.03, requires_grad=True)
    optimizer = torch.optim.Adam([level], lr=1e-3)
    real = noisy(0, 0.02)
    for step in range(60):
        optimizer.zero_grad()
        LOSS(real, 0.5 + level * (noisy(step + 1, 1.0) - 0.5)).backward()
        optimizer.step()
    assert abs(level.item() - 0.02) < 0.002


def test_keeps_the_type_of_its_images():
    assert LOSS(noisy(0, 0.02), noisy(1, 0.02)).dtype == torch.float32


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_channels_and_tiny_images(channels):
    image = torch.rand(4, channels, 8, 20)
    assert LOSS(image, image.flip(0)).isfinite()


def test_a_batch_of_one_is_refused():
    with pytest.raises(UserError, match=r"`data.batch` must be 2 at least, but is 1"):
        LOSS(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
