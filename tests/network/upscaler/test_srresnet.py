import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.upscaler.srresnet import SRResNet


def test_keys_and_parameter_count_of_msrresnet():
    network = SRResNet(4)
    modules = {key.rsplit(".", 1)[0] for key in network.state_dict()}
    expected = {"conv_first", "upconv1", "upconv2", "conv_hr", "conv_last"}
    assert modules == expected | {f"body.{i}.conv{j}" for i in range(16) for j in (1, 2)}
    assert sum(p.numel() for p in network.parameters()) == 1_517_571


@pytest.mark.parametrize(("scale", "shuffles"), [(1, []), (2, [2]), (3, [3]), (4, [2, 2])])
def test_equals_the_forward_pass_written_out(scale, shuffles):
    torch.manual_seed(scale)
    network = SRResNet(scale, features=6, blocks=2)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    weights, lr = network.state_dict(), torch.rand(2, 3, 5, 7)

    def conv(x, key):
        return F.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], padding=1)

    x = F.leaky_relu(conv(lr, "conv_first"), 0.1)
    for i in range(2):
        x = x + conv(F.relu(conv(x, f"body.{i}.conv1")), f"body.{i}.conv2")
    for i, factor in enumerate(shuffles, start=1):
        x = F.leaky_relu(F.pixel_shuffle(conv(x, f"upconv{i}"), factor), 0.1)
    x = conv(F.leaky_relu(conv(x, "conv_hr"), 0.1), "conv_last")
    expected = x + F.interpolate(lr, scale_factor=scale, mode="bilinear", align_corners=False)
    torch.testing.assert_close(network(lr), expected, atol=1e-5, rtol=0)


def test_fresh_network_is_almost_bilinear():
    torch.manual_seed(0)
    lr = torch.rand(2, 3, 8, 8)
    base = F.interpolate(lr, scale_factor=4, mode="bilinear", align_corners=False)
    difference = (SRResNet(4, blocks=4)(lr) - base).abs().max()
    assert 0 < difference < 0.01


def test_every_parameter_learns():
    network = SRResNet(8, features=4, blocks=1)
    network(torch.rand(1, 3, 4, 4)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@settings(deadline=None, max_examples=10)
@given(st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 9), st.integers(1, 9))
def test_any_size_at_any_scale(scale, height, width):
    network = SRResNet(scale, features=4, blocks=1)
    assert network(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`scale`"):
        SRResNet(7)
    with pytest.raises(UserError, match="`features`"):
        SRResNet(4, features=-1)
