import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.upscaler.vdsr import VDSR


def written_out(weights, lr, scale, depth):
    """The paper's figure 2 over the keys of a state dict, on torch's own bicubic image."""
    base = lr
    if scale > 1:
        base = F.interpolate(lr, scale_factor=scale, mode="bicubic", antialias=True)
    x = base
    for layer in range(depth):
        key = f"body.{2 * layer}"
        x = F.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], padding=1)
        x = x.clamp(min=0) if layer < depth - 1 else x
    return base + x


@pytest.mark.parametrize("scale", [2, 4])
def test_published_count_of_weights(scale):
    """664,704 for one channel: the first and the last layer have three times 9 x 64 here."""
    network = VDSR(scale)
    weights = sum(p.numel() for p in network.parameters() if p.dim() == 4)
    assert weights - 2 * 2 * 9 * 64 == 664_704
    assert sum(p.numel() for p in network.parameters()) == weights + 19 * 64 + 3 == 668_227
    assert sum(isinstance(layer, nn.Conv2d) for layer in network.body) == 20


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_equals_the_figure(scale):
    torch.manual_seed(scale)
    network = VDSR(scale, features=6, depth=4)
    nn.init.normal_(network.body[-1].weight, std=0.1)
    lr = torch.rand(2, 3, 5, 4)
    expected = written_out(network.state_dict(), lr, scale, 4)
    torch.testing.assert_close(network(lr), expected, atol=1e-5, rtol=0)
    assert len(network.state_dict()) == 8  # nothing else is stored


def test_a_fresh_network_is_almost_bicubic():
    torch.manual_seed(0)
    lr = torch.rand(1, 3, 10, 10)
    network = VDSR(2)
    base = F.interpolate(lr, scale_factor=2, mode="bicubic", antialias=True)
    assert 1e-4 < (network(lr) - base).square().mean().sqrt() < 0.05
    assert network.body[:-1](base).std() > 0.1  # the signal survives the depth


@settings(deadline=None, max_examples=10)
@given(st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 9), st.integers(1, 9))
def test_any_size_at_any_scale(scale, height, width):
    network = VDSR(scale, features=4, depth=3)
    assert network(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = VDSR(2, features=16, depth=20)
    network(torch.rand(1, 3, 6, 6)).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`scale`"):
        VDSR(6)
    with pytest.raises(UserError, match="`features`"):
        VDSR(2, features=0)
    with pytest.raises(UserError, match="`depth`"):
        VDSR(2, depth=1)
