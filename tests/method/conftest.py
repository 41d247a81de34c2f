"""Training by the loop beside a reference that is written out by hand."""

import copy

import pytest
import torch
from support.step_by_hand import ITERATIONS, SEED

LOOP = ["trainer.precision=64-true", f"seed={SEED}", f"iterations={ITERATIONS}", "method.ema=0.5"]


@pytest.fixture
def compare(fit, plain_batches):
    """``compare(overrides, reference)``: from the same networks on the same batches."""

    def both(overrides, reference):
        batches, start, before = plain_batches(ITERATIONS), {}, {}

        def remember(training):
            torch.manual_seed(1)
            with torch.no_grad():  # off the start, where some networks end in zeros
                for parameter in training.networks.parameters():
                    parameter += 0.05 * torch.randn_like(parameter)
                # each average starts as a copy of its network
                for name, average in training.ema.networks.items():
                    average.load_state_dict(training.networks[name].state_dict())
            start.update({n: copy.deepcopy(net).double() for n, net in training.networks.items()})
            before.update(copy.deepcopy(start))

        training = fit([*LOOP, *overrides], batches, remember)
        floats = [{n: image.double() / 255 for n, image in batch.items()} for batch in batches]
        averages = {name: copy.deepcopy(start[name]) for name in training.ema.networks}
        reference(start, floats, averages)
        for name, network in training.networks.items():
            assert_equal(network, start[name])
            assert moved(network, before[name]) or name not in training.optimizer_names, name
        for name, average in averages.items():
            assert_equal(training.ema.networks[name], average)
        assert training.iteration == ITERATIONS

    return both


def assert_equal(network, expected):
    ours = network.state_dict()
    assert ours.keys() == expected.state_dict().keys()
    for key, value in expected.state_dict().items():
        torch.testing.assert_close(
            ours[key], value, rtol=0, atol=1e-12, msg=lambda m, k=key: f"{k}: {m}"
        )


def moved(one, other):
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return any(not torch.equal(now, then) for now, then in pairs)
