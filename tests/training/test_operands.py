"""What a term's operands may be: a tensor, one of a tuple, an encoder's features."""

import pytest
import torch
from torch import nn

from wildsr.error import UserError
from wildsr.method.part import Method, given, network, optional, tensor
from wildsr.network.trunk.encoder import Encoder, Features
from wildsr.training.explain import explain
from wildsr.training.objective import Objective

PASSES = []


class Counted(nn.Conv2d):
    def forward(self, x):
        PASSES.append(x)
        return super().forward(x)


Counted.__name__ = "Conv2d"  # by which an encoder names its layers
torch.manual_seed(0)
TRUNK = Encoder("vgg19", nn.Sequential(Counted(3, 2, 3, 1, 1), nn.ReLU(), nn.Conv2d(2, 2, 3)))


class Seen(nn.Module):
    """Compares images at one layer of the shared trunk."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.encoder = layer, TRUNK
        TRUNK.expect([layer])

    def forward(self, prediction: Features, target: Features):
        return (prediction[self.layer] - target[self.layer]).square().mean()


class Levels(Method):
    """An upscaler of two levels."""

    hr, real_lr = given(), given()
    upscale = network()

    @tensor
    def sr_levels(self):
        once = self.upscale(self.real_lr)
        return once, self.upscale(once)

    @tensor
    def sr(self):
        return self.sr_levels[-1]

    @optional
    def unused(self):
        raise AssertionError("nobody asked")

    @tensor
    def restored(self):
        return self.sr


LOSSES = {
    "l1": {"_target_": "wildsr.loss.pixel.L1"},
    "seen": {"_target_": f"{__name__}.Seen", "layer": "conv1_1"},
}


@pytest.fixture
def networks():
    torch.manual_seed(1)
    return {"upscale": nn.Conv2d(3, 3, 3, 1, 1)}


@pytest.fixture
def batch():
    torch.manual_seed(2)
    return {"hr": torch.rand(1, 3, 8, 8), "real_lr": torch.rand(1, 3, 8, 8)}


def objective(**terms):
    whole = {"prediction": "sr", "target": "hr"}
    spec = {name: {**whole, **term} for name, term in terms.items()}
    return Objective(Levels, {"up": {"trains": ["upscale"], "terms": spec}}, LOSSES)


def step_of(networks, batch):
    step = Levels(networks, batch, 1)
    step.begin(frozenset({"upscale"}))
    return step


def test_one_pass_serves_all_terms_on_an_image(networks, batch):
    made = objective(
        first={"loss": "seen"}, deeper={"loss": "seen", "layer": "conv1_2"}, pixel={"loss": "l1"}
    )
    step = step_of(networks, batch)
    PASSES.clear()
    values = {term.name: term(step) for term in made.terms}
    assert len(PASSES) == 2  # the prediction's and the target's
    expected = (TRUNK(step.sr)["conv1_1"] - TRUNK(batch["hr"])["conv1_1"]).square().mean()
    assert values["up/first"] == expected
    values["up/deeper"].backward()
    assert networks["upscale"].weight.grad.abs().sum() > 0


def test_features_obey_the_invariant(networks, batch):
    made = objective(first={"loss": "seen"})
    step = step_of(networks, batch)
    assert made.terms[0](step).requires_grad
    step.begin(frozenset())  # another update, which does not train the upscaler
    PASSES.clear()
    assert not made.terms[0](step).requires_grad
    assert not PASSES  # both were kept, as constants
    step.begin(frozenset({"upscale"}))
    assert made.terms[0](step).requires_grad
    assert len(PASSES) == 1  # the sharp crop came from no network


def test_explain_names_the_features(networks, batch):
    (row,) = explain(objective(first={"loss": "seen"}), networks, batch, 1)
    assert row.computed == ["sr_levels", "sr", "vgg19(sr)", "vgg19(hr)"]


def test_a_level_is_an_operand(networks, batch):
    made = objective(
        first={"loss": "l1", "prediction": "sr_levels.0"},
        last={"loss": "l1", "prediction": "sr_levels.1"},
    )
    explain(made, networks, batch, 1)
    step = step_of(networks, batch)
    first, last = (term(step) for term in made.terms)
    assert first == (step.sr_levels[0] - batch["hr"]).abs().mean()
    assert last == (step.sr - batch["hr"]).abs().mean()


@pytest.mark.parametrize(
    ("operand", "message"),
    [
        ("sr_levels.2", r"'sr_levels.2' must be one of \['sr_levels.0', 'sr_levels.1'\]"),
        ("sr_levels", r"'sr_levels' must be one of"),
        ("sr.0", r"'sr' is one tensor; drop the .0"),
        ("sr_level.0", r"but got 'sr_level'.* Did you mean 'sr_levels'"),
        ("sr_levels.x", r"but got 'sr_levels.x'"),
    ],
)
def test_operands_that_are_not_there(operand, message, networks, batch):
    with pytest.raises(UserError, match=message):
        explain(objective(pixel={"loss": "l1", "prediction": operand}), networks, batch, 1)


def test_an_optional_tensor_may_be_left_unused(networks, batch):
    assert explain(objective(pixel={"loss": "l1"}), networks, batch, 1)
