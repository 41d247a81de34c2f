import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spandrel import ModelLoader
from torch import nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.upscaler.compact import Compact


@pytest.mark.parametrize(("convolutions", "expected"), [(16, 621_424), (32, 1_213_296)])
def test_published_parameter_counts(convolutions, expected):
    network = Compact(4, 64, convolutions)
    assert sum(p.numel() for p in network.parameters()) == expected


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_equals_what_another_tool_makes_of_its_weights(scale):
    torch.manual_seed(scale)
    network = Compact(scale, features=12, convolutions=3)
    nn.init.normal_(network.body[-1].weight, std=0.1)
    other = ModelLoader().load_from_state_dict({"params": network.state_dict()})
    assert (other.scale, other.architecture.id) == (scale, "Compact")
    lr = torch.rand(2, 3, 9, 7)
    torch.testing.assert_close(network(lr), other.model(lr), atol=1e-6, rtol=0)


@pytest.mark.skipif("WILDSR_SHARED" not in os.environ, reason="needs the folder WILDSR_SHARED")
@pytest.mark.parametrize(("name", "convolutions"), [("anime", 16), ("photo", 32)])
def test_loads_published_weights(name, convolutions):
    file = Path(os.environ["WILDSR_SHARED"]) / "data/weights" / f"compact_x4_{name}.pth"
    weights = torch.load(file, weights_only=True)
    network = Compact(4, 64, convolutions)
    network.load_state_dict(weights["params"])
    lr = torch.rand(1, 3, 10, 13)
    other = ModelLoader().load_from_state_dict(weights).model
    with torch.no_grad():
        torch.testing.assert_close(network(lr), other(lr), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("features", "convolutions"), [(64, 16), (24, 6)])
@pytest.mark.parametrize("activation", ["prelu", "relu", "leaky_relu"])
def test_fresh_network_is_almost_nearest_upsampling(features, convolutions, activation):
    torch.manual_seed(0)
    lr = torch.rand(2, 3, 8, 8)
    network = Compact(3, features, convolutions, activation)
    difference = network(lr) - F.interpolate(lr, scale_factor=3, mode="nearest")
    assert 1e-4 < difference.square().mean().sqrt() < 0.02  # not nothing: it must be able to learn


def test_signal_survives_the_depth():
    torch.manual_seed(0)
    network = Compact(2, 64, 32)
    last = network.body[:-1](torch.rand(1, 3, 24, 24))
    assert last.std() > 0.1


@settings(deadline=None, max_examples=10)
@given(st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 9), st.integers(1, 9))
def test_any_size_at_any_scale(scale, height, width):
    network = Compact(scale, features=4, convolutions=1)
    assert network(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`scale`"):
        Compact(5)
    with pytest.raises(UserError, match="`convolutions`"):
        Compact(4, convolutions=0)
    with pytest.raises(UserError, match="Did you mean 'prelu'"):
        Compact(4, activation="prrelu")
