"""What `trainer.precision=auto` stands for."""

import pytest
import torch
from torch import nn

from wildsr.inference import remembered
from wildsr.training import precision, session
from wildsr.training.precision import MIXED, SINGLE, choose_training_precision

CPU = torch.device("cpu")


@pytest.fixture
def network():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1))


@pytest.fixture
def capable(monkeypatch, tmp_path):
    """A CPU with instructions for bfloat16, on which every network computes enough."""
    monkeypatch.setattr(precision, "supported", lambda dtype, device: True)
    monkeypatch.setattr(precision, "WORK", {"cpu": 0})
    monkeypatch.setattr(remembered, "cache_folder", lambda: tmp_path / "cache")


def clocked(monkeypatch, single, half):
    """Let iterations take so long; the formats of those that were asked for."""
    asked = []

    def took(network, lr, mixed):
        asked.append(mixed)
        return half if mixed else single

    monkeypatch.setattr(precision, "_iteration", took)
    return asked


@pytest.mark.parametrize(("single", "half", "chosen"), [(1.2, 1.0, MIXED), (1.1, 1.0, SINGLE)])
def test_a_cpu_takes_what_is_clearly_faster_and_keeps_to_it(
    capable, monkeypatch, network, single, half, chosen
):
    asked = clocked(monkeypatch, single, half)
    assert choose_training_precision({"upscale": network}, CPU, 8, 1) == chosen
    assert asked
    asked = clocked(monkeypatch, half, single)  # the other way round now
    for weight in network.parameters():
        weight.data.add_(1)  # other weights are the same network
    assert choose_training_precision({"upscale": network}, CPU, 8, 1) == chosen
    assert not asked
    choose_training_precision({"upscale": network}, CPU, 16, 1)
    assert asked, "another size of crops is tried anew"


def test_a_real_trial_changes_neither_network_nor_random_numbers(capable, network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    assert choose_training_precision({"upscale": network}, CPU, 8, 1) in (MIXED, SINGLE)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


def test_single_precision_where_the_rest_does_not_hold(capable, monkeypatch, network, tmp_path):
    clocked(monkeypatch, 2, 1)
    chosen = choose_training_precision
    assert chosen({"degrade": network}, CPU, 8, 1) == SINGLE
    assert chosen({"upscale": network}, CPU, 8, 2) == SINGLE
    assert chosen({"upscale": network}, torch.device("mps"), 8, 1) == SINGLE
    assert chosen({"upscale": network}, torch.device("cuda"), 8, 2) == MIXED
    with monkeypatch.context() as patch:
        patch.setattr(precision, "supported", lambda dtype, device: False)
        assert chosen({"upscale": network}, CPU, 8, 1) == SINGLE
    with monkeypatch.context() as patch:
        patch.setattr(precision, "WORK", {"cpu": 10**9})
        assert chosen({"upscale": network}, CPU, 8, 1) == SINGLE
    (tmp_path / "cache").write_text("nothing can be kept below a file")
    assert chosen({"upscale": network}, CPU, 8, 1) == SINGLE


def test_an_operation_that_does_not_exist_in_bfloat16(capable):
    class Exact(nn.Conv2d):
        def forward(self, lr):
            if torch.is_autocast_enabled("cpu"):
                raise RuntimeError("not implemented for 'BFloat16'")
            return super().forward(lr)

    assert choose_training_precision({"upscale": Exact(3, 3, 1)}, CPU, 8, 1) == SINGLE


def test_a_training_says_what_was_chosen_and_does_it(monkeypatch, tiny, photos, tmp_path, capsys):
    from wildsr.cli import main

    seen = []
    monkeypatch.setattr(session, "choose_training_precision", lambda *_: MIXED)
    real = session.build_trainer

    def kept(*arguments):
        seen.append(real(*arguments))
        return seen[-1]

    monkeypatch.setattr(session, "build_trainer", kept)
    typed = [*tiny, "method=supervised", f"runs_dir={tmp_path}", "name=it", "iterations=2"]
    assert main.start("train", [*typed, "trainer.precision=auto"]) == 0
    assert "precision: bf16-mixed" in capsys.readouterr().out
    assert seen[-1].precision == MIXED
