import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.upscaler.edsr import EDSR


def published(weights, lr, blocks, residual_scale, shuffles):
    """The authors' forward pass, written out over their key names."""

    def conv(x, key):
        weight = weights[f"{key}.weight"]
        return F.conv2d(x, weight, weights[f"{key}.bias"], padding=weight.shape[-1] // 2)

    head = x = conv(conv(lr * 255, "sub_mean"), "head.0")
    for i in range(blocks):
        inner = conv(F.relu(conv(x, f"body.{i}.body.0")), f"body.{i}.body.2")
        x = x + residual_scale * inner
    x = head + conv(x, f"body.{blocks}")
    for i, factor in enumerate(shuffles):
        x = F.pixel_shuffle(conv(x, f"tail.0.{2 * i}"), factor)
    return conv(conv(x, "tail.1"), "add_mean") / 255


def test_published_parameter_count():
    network = EDSR(4)
    assert sum(p.numel() for p in network.parameters()) == 1_517_571
    assert sum(v.numel() for v in network.state_dict().values()) == 1_517_571 + 2 * 12


@pytest.mark.parametrize(("scale", "shuffles"), [(1, []), (2, [2]), (3, [3]), (4, [2, 2])])
def test_equals_the_authors_forward_pass(scale, shuffles):
    torch.manual_seed(scale)
    network = EDSR(scale, features=8, blocks=2, residual_scale=0.3)
    lr = torch.rand(2, 3, 7, 5)
    weights = network.state_dict()
    expected = published(weights, lr, 2, 0.3, shuffles)
    torch.testing.assert_close(network(lr), expected, atol=1e-5, rtol=0)
    used = {"sub_mean", "add_mean", "head.0", "body.2", "tail.1"}
    used |= {f"body.{i}.body.{j}" for i in (0, 1) for j in (0, 2)}
    used |= {f"tail.0.{2 * i}" for i in range(len(shuffles))}
    assert {key.rsplit(".", 1)[0] for key in weights} == used


def test_mean_of_div2k_is_subtracted_from_8_bit_values():
    network = EDSR(2, features=4, blocks=1)
    mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
    torch.testing.assert_close(network.sub_mean(mean * 255), torch.zeros(1, 3, 1, 1))
    torch.testing.assert_close(network.add_mean(torch.zeros(1, 3, 1, 1)), mean * 255)


def test_mean_shifts_are_frozen_but_loaded():
    network = EDSR(2, features=4, blocks=1)
    assert not any("mean" in name for name, _ in network.named_parameters())
    weights = network.state_dict() | {"sub_mean.bias": torch.tensor([1.0, 2.0, 3.0])}
    network.load_state_dict(weights)
    network.requires_grad_(True)
    optimizer = torch.optim.Adam(network.parameters(), lr=1.0)
    network(torch.rand(1, 3, 4, 4)).square().sum().backward()
    optimizer.step()
    assert network.sub_mean.bias.tolist() == [1, 2, 3]


def test_mean_shift_keeps_float32_under_autocast():
    network = EDSR(1, features=4, blocks=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        shifted = network.sub_mean(torch.full((1, 3, 2, 2), 200.3))
        assert network(torch.rand(1, 3, 4, 4)).dtype == torch.float32
    assert shifted[0, 0, 0, 0].item() == pytest.approx(200.3 - 255 * 0.4488, abs=1e-4)


@settings(deadline=None, max_examples=10)
@given(st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 9), st.integers(1, 9))
def test_any_size_at_any_scale(scale, height, width):
    network = EDSR(scale, features=4, blocks=1)
    assert network(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`scale`"):
        EDSR(6)
    with pytest.raises(UserError, match="`blocks`"):
        EDSR(4, blocks=0)
