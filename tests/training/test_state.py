"""What a checkpoint holds of the loop, and which checkpoints it refuses."""

import re

import pytest
import torch

from wildsr.error import UserError
from wildsr.training.state import restore, whole_state


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(v, other[k]) for k, v in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_a_state_is_plain_and_restores_to_the_same_state(fit, plain_batches):
    overrides = ["method=adversarial_camera", "+method.updates.judge.terms.real.pool=3"]
    trained = fit(overrides, plain_batches(2))
    state = whole_state(trained)
    assert [len(images) for images in state["pools"][0]] == [0, 3, 0, 0]
    restored = []

    def resume(training):
        restore(training, state)
        assert training.iteration == 2
        restored.append(training)

    training = fit(overrides, [], resume)
    assert same(whole_state(training) | {"seconds": 0}, state | {"seconds": 0})
    assert training.seconds == trained.seconds
    _assert_plain(state)


def _assert_plain(value):
    assert type(value) in (dict, list, str, int, float, bool, type(None), torch.Tensor), type(value)
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            _assert_plain(part)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "network.upscaler.features=5",
            r"network `upscale` .* Compact: its body.0.weight is \(4, 3, 3, 3\) instead of \(5, 3",
        ),
        ("network.upscaler.convolutions=2", "network `upscale` .*: it lacks body.5.weight"),
        ("network.critic.layers=5", "network `critic` .* PatchCritic"),
    ],
)
def test_a_state_of_another_architecture_is_refused_by_name(fit, plain_batches, change, message):
    state = whole_state(fit(["method=adversarial_camera"], plain_batches(1)))
    with pytest.raises(UserError, match=message):
        fit(["method=adversarial_camera", change], [], lambda training: restore(training, state))


def test_a_state_of_another_method_is_refused(fit, plain_batches):
    state = whole_state(fit(["method=supervised"], plain_batches(1)))
    with pytest.raises(UserError, match=re.escape("The checkpoint's network `degrade`")):
        fit(["method=adversarial_camera"], [], lambda training: restore(training, state))


def test_what_is_chosen_of_an_optimiser_holds_on_resuming(fit, plain_batches):
    state = whole_state(fit(["method=supervised"], plain_batches(1)))
    lr = "method.optimizers.upscale.lr"
    more = [f"{lr}=0.25", "+method.optimizers.upscale.weight_decay=0.5"]
    trained = fit(["method=supervised", *more], [], lambda training: restore(training, state))
    (group,) = trained.optimizers().param_groups
    assert (group["initial_lr"], group["weight_decay"]) == (0.25, 0.5)
    moments = trained.plain_optimizers()["upscale"].state_dict()["state"][0]
    assert torch.equal(moments["exp_avg"], state["optimizers"]["upscale"]["state"][0]["exp_avg"])
    adamw = ["method.optimizers.upscale._target_=torch.optim.AdamW"]
    trained = fit(["method=supervised", *adamw], [], lambda training: restore(training, state))
    assert trained.optimizers().param_groups[0]["decoupled_weight_decay"]
