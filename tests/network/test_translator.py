import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wildsr.error import UserError
from wildsr.network.residual import ResidualTrunk
from wildsr.network.translator import Translator


def moved(network):
    """As after training: the last layer is no longer 0."""
    torch.manual_seed(0)
    nn.init.normal_(network.trunk.tail.weight, std=0.3)
    return network


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2))
def test_a_fresh_one_is_the_identity_of_any_size(height, width, noise):
    translator = Translator(4, 1, noise)
    lr = torch.rand(2, 3, height, width)
    assert torch.equal(translator(lr, translator.draws(lr)), lr)


def test_its_first_gradient_reaches_the_last_layer_and_then_all():
    translator = Translator(4, 2)
    optimizer = torch.optim.Adam(translator.parameters(), lr=1e-3)
    lr = torch.rand(2, 3, 6, 6)
    reached = []
    for _ in range(2):
        optimizer.zero_grad()
        (translator(lr) - 1).abs().mean().backward()
        reached.append([bool(p.grad.any()) for p in translator.parameters()])
        optimizer.step()
    assert sum(reached[0]) == 2  # weight and bias of the tail
    assert all(reached[1])


def test_the_draw_is_new_for_every_pixel_and_moves_its_neighbourhood():
    translator = moved(Translator(8, 1, noise_channels=1))
    lr = torch.zeros(2, 3, 32, 32)
    torch.manual_seed(1)
    draw = translator.draws(lr)
    assert draw.shape == (2, 1, 32, 32)
    assert abs(draw.mean()) < 0.1
    assert abs(draw.std() - 1) < 0.1
    other = draw.clone()
    other[0, 0, 16, 16] += 1
    rows, columns = (translator(lr, draw) - translator(lr, other))[0].abs().sum(0).nonzero().T
    reach = 1 + 2 + 1 + 1  # head, a block of two, the end of the body, the tail
    for places in (rows, columns):
        assert (places.min(), places.max()) == (16 - reach, 16 + reach)
    assert torch.equal(translator(lr, draw)[1], translator(lr, other)[1])


def test_a_draw_has_to_be_given():
    with pytest.raises(UserError, match=r"`noise_channels` must be 0 .* used without draws, .* 1"):
        Translator(4, 1, noise_channels=1)(torch.rand(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise_channels": -1}, r"`noise_channels` must be 0 or more, but got -1"),
        ({"blocks": 0}, r"`blocks` must be an integer of at least 1, but got 0"),
        ({"features": 1.5}, r"`features` must be .*1\.5"),
    ],
)
def test_what_it_refuses(arguments, message):
    with pytest.raises(UserError, match=message):
        Translator(**arguments)


def test_the_trunk_by_hand():
    """One feature, kernels that only see the middle: 2 x, then (b + x) with b = 3 leaky(x), + x."""
    trunk = ResidualTrunk(1, 1, 1)
    for layer, factor in (
        (trunk.head, 2.0),
        (trunk.body[0].body[0], 3.0),
        (trunk.body[0].body[2], 1.0),
        (trunk.body[1], 5.0),
        (trunk.tail, 1.0),
    ):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        with torch.no_grad():
            layer.weight[:, :, 1, 1] = factor
    x = torch.tensor([1.0, -1.0]).view(1, 1, 1, 2)
    # 2; 2 + 6 = 8; 40; 40 + 2 = 42. -2; -2 + 0.2 * -6 = -3.2; -16; -16 - 2 = -18.
    expected = torch.tensor([42.0, -18.0]).expand(1, 3, 1, 2)
    torch.testing.assert_close(trunk(x), expected)
