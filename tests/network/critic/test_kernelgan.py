import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.critic.kernelgan import KernelGANCritic


def test_a_logit_sees_seven_pixels_a_side():
    torch.manual_seed(0)
    critic = KernelGANCritic(4).eval()
    image = torch.rand(1, 3, 16, 15, requires_grad=True)
    logits = critic(image)
    assert logits.shape == (1, 1, 10, 9)
    logits[0, 0, 4, 2].backward()
    rows, columns = (image.grad.abs().sum((0, 1, dim)).nonzero().flatten() for dim in (3, 2))
    assert (rows.min(), rows.max()) == (4, 10)
    assert (columns.min(), columns.max()) == (2, 8)


def test_written_out():
    torch.manual_seed(0)
    critic, image = KernelGANCritic(4, layers=2), torch.rand(2, 3, 9, 9)
    critic(image)
    critic.eval()
    x = F.conv2d(image, critic.first.weight, critic.first.bias)
    for convolution, norm, _ in critic.middle:
        x = F.conv2d(x, convolution.weight, convolution.bias)
        x = (x - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + 1e-5).sqrt()
        x = F.relu(x * norm.weight[:, None, None] + norm.bias[:, None, None])
    x = F.conv2d(x, critic.last.weight, critic.last.bias)
    torch.testing.assert_close(critic(image), x)
    assert len(critic.features(image)) == 3


def test_published_size_and_bounded_convolutions():
    critic = KernelGANCritic()
    for _ in range(60):
        critic(torch.rand(1, 3, 8, 8))
    convolutions = [m for m in critic.modules() if isinstance(m, nn.Conv2d)]
    assert [c.kernel_size[0] for c in convolutions] == [7, 1, 1, 1, 1, 1, 1]
    for convolution in convolutions:
        norm = torch.linalg.matrix_norm(convolution.weight.flatten(1), 2).item()
        assert norm == pytest.approx(1, abs=0.03)


def test_too_small():
    with pytest.raises(UserError, match=r"at least 7 pixels a side.*\(1, 3, 6, 9\).*`data.patch`"):
        KernelGANCritic(2)(torch.rand(1, 3, 6, 9))
