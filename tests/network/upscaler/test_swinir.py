import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spandrel import ModelLoader
from support.warned import of_construction
from torch import nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.upscaler.swinir import SwinIRLight

SMALL = {"features": 12, "groups": 1, "blocks": 2, "heads": 3, "image_size": 16}


def randomized(scale, **options):
    torch.manual_seed(scale)
    network = SwinIRLight(scale, **(SMALL | options)).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network


@pytest.mark.parametrize(
    ("scale", "expected", "paper"), [(2, 910_152, 878), (3, 918_267, 886), (4, 929_628, 897)]
)
def test_parameter_count_is_the_papers_and_one_convolution(scale, expected, paper):
    count = sum(p.numel() for p in SwinIRLight(scale).parameters())
    assert count == expected
    assert round((count - (60 * 60 * 9 + 60)) / 1000) == paper


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("options", [{}, {"groups": 2, "blocks": 3, "image_size": 24}])
def test_equals_what_another_tool_makes_of_its_weights(scale, options):
    network = randomized(scale, **options)
    other = ModelLoader().load_from_state_dict(dict(network.state_dict()))
    assert (other.scale, other.architecture.id) == (scale, "SwinIR")
    lr = torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        torch.testing.assert_close(network(lr), other.model.eval()(lr), atol=1e-5, rtol=1e-5)


def test_other_sizes_repeat_the_border_and_are_cut_back():
    network = randomized(2)
    lr = torch.rand(1, 3, 11, 5)
    with torch.no_grad():
        expected = network(F.pad(lr, (0, 3, 0, 5), mode="replicate"))[..., :22, :10]
        torch.testing.assert_close(network(lr), expected, atol=0, rtol=0)


def test_masks_of_other_sizes_are_computed():
    """The same weights with masks kept for another size give the same image."""
    network, other = randomized(2), SwinIRLight(2, **(SMALL | {"image_size": 32})).eval()
    weights = {k: v for k, v in network.state_dict().items() if not k.endswith("attn_mask")}
    assert other.load_state_dict(weights, strict=False).missing_keys == [
        "layers.0.residual_group.blocks.1.attn_mask"
    ]
    lr = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(network(lr), other(lr), atol=1e-6, rtol=0)


def test_mean_of_div2k_is_what_no_weights_leave():
    network = SwinIRLight(2, **SMALL).eval()
    nn.init.zeros_(network.upsample[0].weight)
    nn.init.zeros_(network.upsample[0].bias)
    expected = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1).expand(1, 3, 6, 6)
    torch.testing.assert_close(network(torch.rand(1, 3, 3, 3)), expected)


def test_copies_and_state_dicts_keep_the_weights():
    network, lr = randomized(4), torch.rand(1, 3, 8, 8)
    expected = network(lr)  # not detached: a copy must not need that
    copied = copy.deepcopy(network)
    fresh = SwinIRLight(4, **SMALL).eval()
    assert not torch.equal(fresh(lr), expected)
    fresh.load_state_dict(network.state_dict())
    for same in (copied, fresh):
        torch.testing.assert_close(same(lr), expected, atol=0, rtol=0)
    nn.init.zeros_(copied.conv_first.weight)
    torch.testing.assert_close(network(lr), expected, atol=0, rtol=0)


def test_layers_are_skipped_in_training_only():
    torch.manual_seed(0)
    network = randomized(2, drop_path=0.9)
    lr = torch.rand(1, 3, 8, 8)
    assert torch.equal(network(lr), network(lr))
    network.train()
    assert not all(torch.equal(network(lr), network(lr)) for _ in range(9))
    steady = randomized(2, drop_path=0).train()
    assert torch.equal(steady(lr), steady(lr))


def test_every_parameter_learns():
    network = SwinIRLight(2, **SMALL).eval()
    network(torch.rand(1, 3, 12, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_construction_warns_of_nothing(recwarn):
    SwinIRLight(2, **SMALL)
    assert of_construction(recwarn) == []


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 19), st.integers(1, 19))
def test_any_size_at_any_scale(scale, height, width):
    network = SwinIRLight(scale, **SMALL)
    assert network(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


@pytest.mark.parametrize(
    "wrong",
    [{"scale": 5}, {"blocks": 0}, {"features": 50}, {"drop_path": 1.0}]
    + [{"image_size": size} for size in (8, 20)],
)
def test_mistakes_are_named(wrong):
    with pytest.raises(UserError, match=f"`{next(iter(wrong))}` must be"):
        SwinIRLight(**({"scale": 2} | wrong))
