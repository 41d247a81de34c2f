"""The parts of a method and the invariant that they keep."""

import pytest
import torch
from torch import nn

from wildsr.method.part import Method, draw, given, network, optional, tensor


class Factor(nn.Module):
    """Multiplies by one learned number, and counts how often."""

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(float(factor)))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.factor * x


class Toy(Method):
    """Two networks in a row."""

    hr, real_lr = given("()"), given("()")
    degrade, upscale = network("first"), network("second")

    @draw
    def draw(self):
        """A random number."""
        return torch.randn(())

    @tensor
    def fake_lr(self):
        """degrade(hr) + draw."""
        return self.degrade(self.hr) + self.draw

    @tensor
    def pair(self):
        """A tuple of it, two steps from the network."""
        return self.fake_lr, 2 * self.fake_lr

    @tensor
    def sr(self):
        """Through both networks."""
        return self.upscale(self.pair[1])

    @tensor
    def restored(self):
        """Through the second alone."""
        return self.upscale(self.real_lr)


def toy(cls=Toy):
    torch.manual_seed(0)
    networks = {"degrade": Factor(3), "upscale": Factor(5)}
    return cls(networks, {"hr": torch.tensor(2.0), "real_lr": torch.tensor(7.0)}, 4)


def test_parts_are_listed_by_kind_in_order_of_declaration():
    class Longer(Toy):
        critic = network()

        @tensor
        def extra(self):
            return self.hr

    assert dict(Toy.parts) == {
        given: ("hr", "real_lr"),
        network: ("degrade", "upscale"),
        tensor: ("draw", "fake_lr", "pair", "sr", "restored"),
        draw: ("draw",),
        optional: (),
    }
    assert Longer.parts[network] == ("degrade", "upscale", "critic")
    assert Longer.parts[tensor] == (*Toy.parts[tensor], "extra")


def test_parts_document_themselves_on_the_class():
    assert isinstance(Toy.degrade, network)
    assert (Toy.degrade.name, Toy.degrade.__doc__) == ("degrade", "first")
    assert Toy.sr.__doc__ == "Through both networks."


def test_what_was_given_and_the_networks_are_read_as_they_are():
    step = toy()
    assert step.hr is step.batch["hr"]
    assert step.upscale is step.networks["upscale"]
    assert step.scale == 4


def test_a_tensor_is_computed_on_first_use_and_kept():
    step = toy()
    assert step.degrade.calls == 0
    first = step.fake_lr
    assert step.fake_lr is first
    assert step.degrade.calls == 1


def test_sources_come_through_tensors_that_were_kept_and_those_that_were_not():
    for before in ([], ["draw"], ["fake_lr"], ["pair"], ["fake_lr", "pair"]):
        step = toy()
        for name in before:
            getattr(step, name)
        with step.sources() as sources:
            _ = step.sr
        assert sources == {"degrade", "upscale"}, before
        assert {n: set(s) for n, (_, s) in step.kept.items()} == {
            "draw": set(),
            "fake_lr": {"degrade"},
            "pair": {"degrade"},
            "sr": {"degrade", "upscale"},
        }


def test_begin_thaws_what_it_trains_and_freezes_the_rest():
    step = toy()
    for trained in ({"degrade"}, {"upscale"}, set(), {"degrade", "upscale"}):
        step.begin(frozenset(trained))
        thawed = {n for n, net in step.networks.items() if net.factor.requires_grad}
        assert thawed == trained


def test_begin_forgets_what_came_from_the_trained_and_makes_the_rest_constant():
    step = toy()
    before = {name: getattr(step, name) for name in Toy.parts[tensor]}
    assert before["sr"].requires_grad
    step.begin(frozenset({"upscale"}))
    assert set(step.kept) == {"draw", "fake_lr", "pair"}
    assert not step.fake_lr.requires_grad
    assert not any(part.requires_grad for part in step.pair)
    assert step.degrade.calls == 1, "a constant is not computed again"
    torch.testing.assert_close(step.pair[1], before["pair"][1].detach(), rtol=0, atol=0)
    assert step.sr.requires_grad, "it is computed again with a graph"
    # 5 times a constant: no gradient for the network that made it
    step.sr.backward()
    assert step.degrade.factor.grad is None
    torch.testing.assert_close(step.upscale.factor.grad, before["pair"][1].detach())


def test_gradient_flows_through_a_frozen_network():
    step = toy()
    step.begin(frozenset({"degrade"}))
    step.sr.backward()  # sr = 5 * 2 * (3 * 2 + draw)
    torch.testing.assert_close(step.degrade.factor.grad, torch.tensor(5 * 2 * 2.0))
    assert step.upscale.factor.grad is None


def test_a_tensor_made_while_its_network_was_frozen_is_made_again():
    step = toy()
    step.begin(frozenset({"degrade"}))
    assert not step.restored.requires_grad
    step.begin(frozenset({"upscale"}))
    step.restored.backward()
    torch.testing.assert_close(step.upscale.factor.grad, torch.tensor(7.0))


def test_a_draw_is_reused_when_what_came_from_it_is_made_again():
    step = toy()
    step.begin(frozenset({"degrade"}))
    first, draw = step.fake_lr, step.draw
    with torch.no_grad():
        step.degrade.factor += 1
    step.begin(frozenset({"degrade"}))
    assert step.fake_lr is not first
    torch.testing.assert_close(step.fake_lr.detach(), 4 * 2 + draw)
    torch.testing.assert_close(step.fake_lr - first, torch.tensor(2.0), atol=1e-6, rtol=0)


def test_another_update_sees_the_value_from_before_the_step_and_no_stale_graph():
    step = toy()
    step.begin(frozenset({"degrade"}))
    before = step.fake_lr.detach().clone()
    step.sr.backward()
    with torch.no_grad():  # an optimiser's step, in place
        step.degrade.factor -= 1
    step.begin(frozenset({"upscale"}))
    torch.testing.assert_close(step.fake_lr, before, rtol=0, atol=0)
    step.sr.backward()  # would raise if a graph over the changed factor were kept
    torch.testing.assert_close(step.upscale.factor.grad, 2 * before)


def test_the_events_tell_what_was_computed_and_what_was_kept():
    step = toy()
    _ = step.pair
    assert step.events == [
        ("computed", "draw"),
        ("computed", "fake_lr"),
        ("kept", "fake_lr"),
        ("computed", "pair"),
    ]


def test_a_typo_in_the_body_of_a_tensor_is_named():
    class Mistaken(Toy):
        @tensor
        def wrong(self):
            return self.fake_lt

    step = toy(Mistaken)
    with pytest.raises(AttributeError, match="'Mistaken' object has no attribute 'fake_lt'"):
        _ = step.wrong
    assert "wrong" not in step.kept
    with step.sources() as sources:  # the failure left no half-recorded tensor behind
        _ = step.restored
    assert sources == {"upscale"}


def test_an_average_is_a_constant_and_the_network_where_there_is_none():
    step = toy()
    assert step.average("upscale", torch.tensor(2.0)) == 10
    step.averages = {"upscale": Factor(7)}
    step.begin(frozenset({"upscale"}))
    value = step.average("upscale", step.fake_lr)
    assert value == 7 * step.fake_lr
    assert not value.requires_grad
