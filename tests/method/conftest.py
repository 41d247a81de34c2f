"""The comparison of a shipped method with a reference step."""

import copy

import pytest
import torch
from steps import ITERATIONS, SEED, assert_equal

LOOP = ["trainer.precision=64-true", f"seed={SEED}", "method.ema=0.5", f"iterations={ITERATIONS}"]


@pytest.fixture
def compare(fit, plain_batches):
    """``compare(overrides, reference)``: from the same networks on the same batches."""

    def both(overrides, reference):
        batches, start = plain_batches(ITERATIONS), {}

        def remember(training):
            torch.manual_seed(1)
            with torch.no_grad():  # off the start, where some networks end in zeros
                for parameter in training.networks.parameters():
                    parameter += 0.05 * torch.randn_like(parameter)
                # each average starts as a copy of its network
                for name, average in training.ema.networks.items():
                    average.load_state_dict(training.networks[name].state_dict())
            start.update({n: copy.deepcopy(net).double() for n, net in training.networks.items()})

        training = fit([*LOOP, *overrides], batches, remember)
        floats = [{n: image.double() / 255 for n, image in batch.items()} for batch in batches]
        average = copy.deepcopy(start["upscale"])
        reference(start, floats, average)
        for name, network in training.networks.items():
            assert_equal(network, start[name])
        assert_equal(training.ema.networks["upscale"], average)
        assert training.iteration == ITERATIONS

    return both
