import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spandrel import ModelLoader
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.upscaler.rrdb import RRDBNet


@pytest.mark.parametrize(
    ("scale", "blocks", "expected"),
    [(4, 23, 16_697_987), (2, 23, 16_703_171), (4, 6, 4_467_779)],
)
def test_published_parameter_counts(scale, blocks, expected):
    with torch.device("meta"):
        network = RRDBNet(scale, blocks=blocks)
    assert sum(p.numel() for p in network.parameters()) == expected


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_equals_what_another_tool_makes_of_its_weights(scale):
    torch.manual_seed(scale)
    network = RRDBNet(scale, features=8, blocks=2)
    other = ModelLoader().load_from_state_dict(dict(network.state_dict()))
    assert (other.scale, other.architecture.id) == (scale, "ESRGAN")
    lr = torch.rand(2, 3, 8, 12)  # where the two pad (1 and 2, other sizes) they differ
    sr = network(lr)
    assert sr.std() > 1e-3
    torch.testing.assert_close(sr, other.model(lr), atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_equals_the_published_forward_pass(scale):
    """Written out over the published key names, with 0.2 and all; scale 3 has no other judge."""
    torch.manual_seed(scale)
    network = RRDBNet(scale, features=6, blocks=2, growth=4)
    weights = network.state_dict()

    def conv(x, key):
        return F.conv2d(x, weights.pop(f"{key}.weight"), weights.pop(f"{key}.bias"), padding=1)

    def dense(x, key):
        seen = x
        for layer in (1, 2, 3, 4):
            new = F.leaky_relu(conv(seen, f"{key}.conv{layer}"), 0.2)
            seen = torch.cat((seen, new), dim=1)
        return 0.2 * conv(seen, f"{key}.conv5") + x

    lr = torch.rand(1, 3, 4, 8)
    x = first = conv(F.pixel_unshuffle(lr, {1: 4, 2: 2}.get(scale, 1)), "conv_first")
    for block in (0, 1):
        inner = x
        for number in (1, 2, 3):
            inner = dense(inner, f"body.{block}.rdb{number}")
        x = 0.2 * inner + x
    x = first + conv(x, "conv_body")
    for number, factor in enumerate({3: [3], 8: [2, 2, 2]}.get(scale, [2, 2]), start=1):
        x = x.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
        x = F.leaky_relu(conv(x, f"conv_up{number}"), 0.2)
    x = conv(F.leaky_relu(conv(x, "conv_hr"), 0.2), "conv_last")
    assert not weights, "keys that the published network does not have"
    torch.testing.assert_close(network(lr), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("scale", "multiple"), [(1, 4), (2, 2)])
def test_sizes_that_do_not_divide_repeat_the_border(scale, multiple):
    torch.manual_seed(0)
    network, lr = RRDBNet(scale, features=6, blocks=1, growth=4), torch.rand(1, 3, 5, 7)
    below, right = -5 % multiple, -7 % multiple
    rows, columns = [*range(5), *[4] * below], [*range(7), *[6] * right]
    whole = network(lr[..., rows, :][..., columns])
    expected = whole[..., : 5 * scale, : 7 * scale]
    torch.testing.assert_close(network(lr), expected, atol=0, rtol=0)


@settings(deadline=None, max_examples=10)
@given(st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 9), st.integers(1, 9))
def test_any_size_at_any_scale(scale, height, width):
    network = RRDBNet(scale, features=4, blocks=1, growth=2)
    assert network(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


def test_dense_blocks_start_at_a_tenth_of_he():
    torch.manual_seed(0)
    network = RRDBNet(4, blocks=1)
    layer = network.body[0].rdb2.conv4
    assert layer.weight.std().item() == pytest.approx(0.1 * (2 / (160 * 9)) ** 0.5, rel=0.03)
    assert not layer.bias.any()
    assert network.conv_hr.bias.any()  # the others keep PyTorch's


@pytest.mark.parametrize("scale", [1, 3, 8])
def test_every_parameter_learns(scale):
    torch.manual_seed(0)
    network = RRDBNet(scale, features=8, blocks=2, growth=4)
    network(torch.rand(1, 3, 8, 8)).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_gradient():
    """The activations in place leave the derivative as it is."""
    torch.manual_seed(0)
    network = RRDBNet(2, features=3, blocks=1, growth=2).double()
    lr = torch.rand(1, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, lr, fast_mode=True)
    before = lr.detach().clone()
    network(lr)
    assert torch.equal(lr, before)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`scale`"):
        RRDBNet(6)
    with pytest.raises(UserError, match="`blocks`"):
        RRDBNet(4, blocks=0)
    with pytest.raises(UserError, match="`growth`"):
        RRDBNet(4, growth=2.5)
