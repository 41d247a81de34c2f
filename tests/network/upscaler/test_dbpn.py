import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.upscaler.dbpn import DBPN

LAYOUT = {1: (5, 1, 2), 2: (6, 2, 2), 3: (7, 3, 2), 4: (8, 4, 2), 8: (12, 8, 2)}


def paper(weights, lr, scale, stages):
    """The paper's equations, written out over the authors' keys; returns what keys were used."""
    _, stride, padding = LAYOUT[scale]
    used = set()

    def layer(x, key, **options):
        used.update({f"{key}.conv.weight", f"{key}.conv.bias", f"{key}.act.weight"})
        weight, bias = weights[f"{key}.conv.weight"], weights[f"{key}.conv.bias"]
        return F.prelu(F.conv2d(x, weight, bias, **options), weights[f"{key}.act.weight"])

    def down(x, key):
        return layer(x, key, stride=stride, padding=padding)

    def up(x, key):
        used.update({f"{key}.deconv.weight", f"{key}.deconv.bias", f"{key}.act.weight"})
        weight, bias = weights[f"{key}.deconv.weight"], weights[f"{key}.deconv.bias"]
        x = F.conv_transpose2d(x, weight, bias, stride=stride, padding=padding)
        return F.prelu(x, weights[f"{key}.act.weight"])

    def projection_up(earlier, t):
        low = earlier[0] if len(earlier) == 1 else layer(torch.cat(earlier, 1), f"up{t}.conv")
        high0 = up(low, f"up{t}.up_conv1")
        low0 = down(high0, f"up{t}.up_conv2")
        high1 = up(low0 - low, f"up{t}.up_conv3")
        return high0 + high1

    def projection_down(earlier, t):
        high = earlier[0] if len(earlier) == 1 else layer(torch.cat(earlier, 1), f"down{t}.conv")
        low0 = down(high, f"down{t}.down_conv1")
        high0 = up(low0, f"down{t}.down_conv2")
        low1 = down(high0 - high, f"down{t}.down_conv3")
        return low0 + low1

    x = layer(layer(lr, "feat0", padding=1), "feat1")
    highs, lows = [projection_up([x], 1)], []
    for t in range(1, stages):
        lows.insert(0, projection_down(highs, t))
        highs.insert(0, projection_up(lows, t + 1))
    used.update({"output_conv.conv.weight", "output_conv.conv.bias"})
    weight, bias = weights["output_conv.conv.weight"], weights["output_conv.conv.bias"]
    return F.conv2d(torch.cat(highs, 1), weight, bias, padding=1), used


@pytest.mark.parametrize(("scale", "expected"), [(2, 5_953_526), (4, 10_426_358), (8, 23_205_878)])
def test_published_parameter_counts(scale, expected):
    with torch.device("meta"):
        network = DBPN(scale)
    assert sum(p.numel() for p in network.parameters()) == expected


@pytest.mark.parametrize("scale", LAYOUT)
@pytest.mark.parametrize(("features", "initial", "stages"), [(32, 128, 2), (5, 7, 1), (4, 6, 5)])
def test_parameter_count_is_the_formula(scale, features, initial, stages):
    layer = LAYOUT[scale][0] ** 2 * features**2 + features + 1  # one slope each
    joined = [*range(2, stages), *range(2, stages)]  # stages that each 1x1 convolution sees
    bottlenecks = sum(t * features**2 + features + 1 for t in joined)
    first = 27 * initial + initial + 1 + initial * features + features + 1
    expected = first + (2 * stages - 1) * 3 * layer + bottlenecks + 27 * stages * features + 3
    network = DBPN(scale, features, initial, stages)
    assert sum(p.numel() for p in network.parameters()) == expected


@pytest.mark.parametrize("scale", LAYOUT)
@pytest.mark.parametrize("stages", [1, 2, 4])
def test_equals_the_equations_of_the_paper(scale, stages):
    torch.manual_seed(scale)
    network = DBPN(scale, features=3, initial_features=5, stages=stages)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, -0.3, 0.5)
    lr = torch.rand(2, 3, 4, 5)
    expected, used = paper(network.state_dict(), lr, scale, stages)
    assert set(network.state_dict()) == used
    torch.testing.assert_close(network(lr), expected, atol=1e-4, rtol=1e-4)
    kernels = {tuple(v.shape[-2:]) for k, v in network.state_dict().items() if "up_conv" in k}
    assert (LAYOUT[scale][0],) * 2 in kernels


def test_projection_that_returns_to_its_input_corrects_nothing():
    """Where going up and down is the identity, the error is 0 and only the first way up counts."""
    unit = DBPN(4, features=1, initial_features=1, stages=1).up1
    for layer in (unit.up_conv1, unit.up_conv2, unit.up_conv3):
        torch.nn.init.zeros_(layer[0].weight)
        layer[0].weight.data[0, 0, 2, 2] = 1  # one tap: to every fourth pixel and from there
    low = torch.rand(1, 1, 3, 3)
    high = unit(low)
    torch.testing.assert_close(high[..., ::4, ::4], low)
    assert high.count_nonzero() == 9


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = DBPN(2, features=6, initial_features=8, stages=3)
    network(torch.rand(1, 3, 6, 6)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 9), st.integers(1, 9))
def test_any_size_at_any_scale(scale, height, width):
    network = DBPN(scale, features=2, initial_features=3, stages=2)
    assert network(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`scale`"):
        DBPN(5)
    with pytest.raises(UserError, match="`stages`"):
        DBPN(4, stages=0)
    with pytest.raises(UserError, match="`initial_features`"):
        DBPN(4, initial_features=1.5)
