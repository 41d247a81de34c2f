"""Networks of spandrel's classes, from scratch: SPAN, RealPLKSR, OmniSR, DAT, FDAT."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spandrel import ModelLoader
from support.warned import of_construction
from torch import nn

from wildsr.error import UserError
from wildsr.network.upscaler.dat import DATLight
from wildsr.network.upscaler.fdat import FDAT
from wildsr.network.upscaler.omnisr import OmniSR
from wildsr.network.upscaler.realplksr import RealPLKSR
from wildsr.network.upscaler.span import SPAN

SMALL = {
    SPAN: {"features": 8},
    RealPLKSR: {"features": 8, "blocks": 2, "kernel": 5},
    OmniSR: {"features": 8, "groups": 1},
    DATLight: {"features": 32, "blocks": 2, "heads": 2, "split": (4, 8), "drop_path": 0.0},
    FDAT: {"features": 16, "groups": 1, "depth": 1, "heads": 2, "drop_path": 0.0},
}
KNOWN = {SPAN: "SPAN", RealPLKSR: "PLKSR", OmniSR: "OmniSR", DATLight: "DAT", FDAT: "FDAT"}
each = pytest.mark.parametrize("made", SMALL, ids=lambda made: made.__name__)


def small(made, scale=2, **options):
    torch.manual_seed(scale)
    if made is FDAT and scale == 8:
        options = {"upsampler": "pixelshuffle"} | options
    return made(scale, **(SMALL[made] | options))


def test_sizes_are_those_published():
    """Of DAT the paper's (553 K, 561 K, 573 K); of RealPLKSR those of weights that are shared."""
    count = {
        (made, scale): sum(p.numel() for p in made(scale).parameters())
        for made, scale in ((DATLight, 2), (DATLight, 3), (DATLight, 4), (RealPLKSR, 4))
    }
    assert [round(count[DATLight, scale] / 1000) for scale in (2, 3, 4)] == [553, 561, 573]
    assert count[RealPLKSR, 4] == 7_389_680


@each
@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_spandrel_opens_it_and_makes_the_same(made, scale):
    network = small(made, scale).eval()
    other = ModelLoader().load_from_state_dict(dict(network.state_dict()))
    assert (other.scale, other.architecture.id) == (scale, KNOWN[made])
    lr = torch.rand(2, 3, 16, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(lr), other.model.eval()(lr), atol=1e-5, rtol=1e-5)


@each
@settings(deadline=None, max_examples=6)
@given(st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 19), st.integers(1, 19))
def test_any_size_at_any_scale(made, scale, height, width):
    network = small(made, scale)
    assert network(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


@pytest.mark.parametrize("made", [SPAN, OmniSR, DATLight, FDAT], ids=lambda made: made.__name__)
@pytest.mark.parametrize("channels", [1, 5])
def test_any_number_of_channels(made, channels):
    network = small(made, 2, channels=channels)
    assert network.channels == channels
    assert network(torch.rand(2, channels, 9, 7)).shape == (2, channels, 18, 14)


@each
@pytest.mark.parametrize("mode", [True, False])
def test_every_parameter_learns(made, mode):
    network = small(made).train(mode)
    lr = torch.rand(2, 3, 12, 16, requires_grad=True)
    network(lr).square().sum().backward()
    assert lr.grad.abs().sum() > 0  # also through a network that is used, not trained
    if mode or made is not SPAN:
        trained = {n: p.grad for n, p in network.named_parameters() if p.requires_grad}
        assert all(gradient is not None for gradient in trained.values())
        dead = [name for name, gradient in trained.items() if not gradient.abs().sum() > 0]
        assert all(".pos." in name for name in dead), dead  # of DAT, see there


@each
def test_training_and_use_are_one_network_and_copies_keep_it(made):
    network, lr = small(made), torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        used = network.eval()(lr)
        if made is not DATLight:  # which normalises by the batch in training
            torch.testing.assert_close(network.train()(lr), used, atol=1e-4, rtol=1e-4)
        copied = copy.deepcopy(network.eval())
        fresh = small(made, 2).eval()
        for parameter in fresh.parameters():
            nn.init.zeros_(parameter)
        fresh.load_state_dict(network.state_dict())
        for same in (copied, fresh):
            torch.testing.assert_close(same(lr), used, atol=1e-6, rtol=0)


def test_what_was_trained_is_what_is_used():
    """SPAN's branches are folded anew after every step, also in what other tools open."""
    network, lr = small(SPAN), torch.rand(1, 3, 9, 9)
    network.eval()(lr)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("conv.1.weight"):
                parameter.mul_(1.5)
        trained = network.train()(lr)
        torch.testing.assert_close(network.eval()(lr), trained, atol=1e-5, rtol=1e-4)
        other = ModelLoader().load_from_state_dict(dict(network.state_dict())).model.eval()
        torch.testing.assert_close(other(lr), trained, atol=1e-5, rtol=1e-4)


def test_weights_that_are_loaded_stay_as_they_are():
    network = small(FDAT)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    held = dict(state)
    network.load_state_dict(state)
    assert all(state[name] is held[name] for name in held)


def test_a_network_that_normalises_by_the_batch_says_so():
    with pytest.raises(UserError, match=r"`data.batch` must be 2 or more to train it"):
        small(DATLight)(torch.rand(1, 3, 8, 8))


@each
def test_construction_warns_of_nothing(made, recwarn):
    small(made)
    assert of_construction(recwarn) == []


@pytest.mark.parametrize(
    ("made", "wrong"),
    [(made, {"scale": 5}) for made in SMALL]
    + [(made, {"features": 0}) for made in SMALL]
    + [
        (RealPLKSR, {"features": 10}),
        (RealPLKSR, {"kernel": 4}),
        (RealPLKSR, {"channels": 1}),
        (DATLight, {"features": 8}),
        (DATLight, {"heads": 3}),
        (DATLight, {"split": (8, 20)}),
        (DATLight, {"drop_path": 1.0}),
        (FDAT, {"heads": 7}),
        (FDAT, {"upsampler": "dysample"}),
        (FDAT, {"drop_path": -0.1}),
    ],
)
def test_mistakes_are_named(made, wrong):
    named = "features" if wrong == {"heads": 7} else next(iter(wrong))
    with pytest.raises(UserError, match=f"`{named}` must be"):
        made(**({"scale": 2} | SMALL[made] | wrong))
