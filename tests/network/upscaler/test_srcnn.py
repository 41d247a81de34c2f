import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.upscaler.srcnn import SRCNN


def written_out(weights, lr, scale):
    """Equations 1 to 3 over the keys of a state dict, on torch's own bicubic image."""
    x = lr
    if scale > 1:
        x = F.interpolate(lr, scale_factor=scale, mode="bicubic", antialias=True)
    for number in (1, 2, 3):
        weight, bias = weights[f"conv{number}.weight"], weights[f"conv{number}.bias"]
        x = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
        x = x.clamp(min=0) if number < 3 else x
    return x


@pytest.mark.parametrize(("kernels", "luminance"), [((9, 5, 5), 57_184), ((9, 1, 5), 8_032)])
def test_published_count_of_weights(kernels, luminance):
    """The paper's count (table 2) is for one channel and without biases: its layers 1 and 3."""
    network = SRCNN(3, kernels)
    shapes = [tuple(p.shape) for p in network.parameters() if p.dim() == 4]
    first, second, third = (height * width for _, _, height, width in shapes)
    assert first * 64 + second * 64 * 32 + third * 32 == luminance
    assert [shape[:2] for shape in shapes] == [(64, 3), (32, 64), (3, 32)]
    biases = 64 + 32 + 3
    expected = luminance + 2 * (first * 64 + third * 32) + biases
    assert sum(p.numel() for p in network.parameters()) == expected


@pytest.mark.parametrize("kernels", [(9, 5, 5), (9, 1, 5), (3, 1, 1)])
@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_equals_the_equations(scale, kernels):
    torch.manual_seed(scale)
    network = SRCNN(scale, kernels, features=(6, 4))
    lr = torch.rand(2, 3, 5, 4)
    expected = written_out(network.state_dict(), lr, scale)
    torch.testing.assert_close(network(lr), expected, atol=1e-5, rtol=0)
    assert len(network.state_dict()) == 6  # nothing else is stored


def test_a_fresh_network_does_not_answer_black():
    torch.manual_seed(0)
    lr = torch.rand(1, 3, 12, 12)
    assert SRCNN(2)(lr).std() > 0.05


@settings(deadline=None, max_examples=10)
@given(st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 9), st.integers(1, 9))
def test_any_size_at_any_scale(scale, height, width):
    network = SRCNN(scale, features=(4, 3))
    assert network(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = SRCNN(2)
    network(torch.rand(1, 3, 8, 8)).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`scale`"):
        SRCNN(5)
    with pytest.raises(UserError, match="`kernels` must be 3 integers"):
        SRCNN(2, kernels=(9, 5))
    with pytest.raises(UserError, match="`kernels` must be odd"):
        SRCNN(2, kernels=(9, 4, 5))
    with pytest.raises(UserError, match="`features` must be 2 integers"):
        SRCNN(2, features=64)
    with pytest.raises(UserError, match="`features` must be an integer of at least 1"):
        SRCNN(2, features=(64, 0))
