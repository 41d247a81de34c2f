"""Each term of each shipped method moves the networks that its update trains, and only those."""

import pytest
import torch

from wildsr import build, command
from wildsr.command import configure

METHODS = sorted(path.stem for path in (command.CONF / "method").glob("*.yaml"))


def moved(training):
    """As after some training: PDM's networks, for one, start with layers of zeros."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in training.networks.parameters():
            parameter += 0.1 * torch.randn_like(parameter)


def gradients(training, update, terms, batch):
    """Network -> its gradients (None: it got none) of these terms of an update, by hand."""
    torch.manual_seed(0)
    training.networks.zero_grad()
    networks = dict(training.networks.items())
    step = training.objective.method(networks, batch, training.scale)
    step.begin(update.trains)
    sum(term.weight * term(step) for term in terms).backward()
    return {n: [p.grad for p in net.parameters()] for n, net in networks.items()}


@pytest.mark.parametrize("method", METHODS)
def test_each_term_moves_what_its_update_trains_and_nothing_else(method, of, small, plain_batches):
    training = build.training(configure("train", [*of(method), *small, "data.patch=8"]))
    moved(training)
    (batch,) = plain_batches(1)
    batch = {name: image.float() / 255 for name, image in batch.items()}
    for update in training.objective.updates:
        whole = gradients(training, update, update.terms, batch)
        for name, found in whole.items():
            reached = [gradient is not None for gradient in found]
            assert all(reached) if name in update.trains else not any(reached), (update.name, name)
        for term in update.terms:
            others = [other for other in update.terms if other is not term]
            without = gradients(training, update, others, batch) if others else {}
            for name in update.trains:
                rest = without.get(name, [None] * len(whole[name]))
                changed = [
                    not torch.allclose(one, torch.zeros_like(one) if other is None else other)
                    for one, other in zip(whole[name], rest, strict=True)
                ]
                assert any(changed), f"{term.name} does not move {name}"
