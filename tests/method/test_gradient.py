"""Each term of each shipped method moves the networks that its update trains, and only those."""

import pytest
import torch
from support.tiers import only

from wildsr.config import compose as command
from wildsr.config.compose import configure
from wildsr.training.build import build_training

# Without a critic, with stages, and two in which some terms reach a part of what is trained.
QUICK = ("cincgan", "maeda", "supervised", "wild")
METHODS = sorted(path.stem for path in (command.CONF / "method").glob("*.yaml"))

# Where an update trains several networks: those that a term reaches, by the paper's equations. A
# term that is not here reaches every network that its update trains.
REACHED = {
    "bulat": {"judge/lr": {"critic"}, "judge/hr": {"critic_hr"}},
    "cincgan": {
        "translate/fool": {"clean"},
        "translate/identity": {"clean"},
        "translate/smooth": {"clean"},
        "joint/fool": {"clean", "upscale"},
        "joint/identity": {"upscale"},
        "joint/smooth": {"clean", "upscale"},
    },
    "cyclesr": {
        "judge/real": {"critic"},
        "judge/clean": {"critic_clean"},
        **{
            f"{update}/{term}": {network}
            for update in ("translate", "joint")
            for term, network in (
                ("fool", "degrade"),
                ("fool_clean", "clean"),
                ("identity_real", "degrade"),
                ("identity_clean", "clean"),
            )
        },
        "joint/task": {"degrade"},
    },
    "maeda": {
        "generate/fool": {"degrade"},
        "generate/fool_clean": {"clean"},
        "generate/cycle": {"degrade", "clean"},
        "generate/identity": {"clean"},
        "generate/geometry": {"clean"},
        "judge/real": {"critic"},
        "judge/clean": {"critic_clean"},
        "judge/hr": {"critic_hr"},
    },
}


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


@pytest.mark.parametrize("method", only(QUICK, METHODS))
def test_each_term_moves_what_its_update_trains_and_nothing_else(method, of, small, plain_batches):
    training = build_training(configure("train", [*of(method), *small, "data.patch=8"]))
    moved(training)
    (batch,) = plain_batches(1)
    batch = {name: image.float() / 255 for name, image in batch.items()}
    for update in training.objective.updates:
        whole = gradients(training, update, update.terms, batch)
        for name, found in whole.items():
            reached = [gradient is not None for gradient in found]
            assert all(reached) if name in update.trains else not any(reached), (update.name, name)
        for term in update.terms:
            alone = gradients(training, update, [term], batch)
            reached = {name for name, its in alone.items() if any(map(alive, its))}
            assert reached == REACHED.get(method, {}).get(term.name, update.trains), term.name


def alive(gradient):
    return gradient is not None and bool((gradient != 0).any())


def test_what_is_reached_is_said_of_terms_that_exist(of, small):
    for method, reached in REACHED.items():
        training = build_training(configure("train", [*of(method), *small, "data.patch=8"]))
        terms = {term.name for term in training.objective.terms}
        assert reached.keys() <= terms, method
