"""What signals do to a training, and a terminal that goes away."""

import os
import signal
from types import SimpleNamespace

import pytest

from wildsr.training import checkpointing
from wildsr.training.checkpointing import Checkpointing


@pytest.fixture
def saving(tmp_path, monkeypatch):
    """``saving(iteration)``: the callback at the start of a training, its signals taken."""
    monkeypatch.setattr(checkpointing, "Training", SimpleNamespace)
    kept = {number: signal.getsignal(number) for number in checkpointing.SIGNALS}
    made = []

    def begin(**options):
        made.append(Checkpointing(tmp_path, 10, 1, {}, **options))
        made[-1].on_train_start(None, SimpleNamespace(iteration=5, seconds=0.0))
        return made[-1]

    yield begin
    for one in reversed(made):
        one.teardown(None, None, "fit")
    assert {number: signal.getsignal(number) for number in kept} == kept


def test_a_first_signal_is_noted_and_a_second_interrupt_ends_at_once(saving):
    callback = saving()
    signal.raise_signal(signal.SIGTERM)
    assert callback.signal == signal.SIGTERM
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no terminals to lose")
def test_what_is_ignored_stays_ignored(saving):
    """By ``nohup``: what goes on afterwards is not stopped by a terminal that closes."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        callback = saving()
        signal.raise_signal(signal.SIGHUP)
        assert callback.signal is None
        callback.teardown(None, None, "fit")
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no terminals to lose")
def test_a_terminal_that_is_gone_is_written_to_no_more(saving, monkeypatch):
    ours, theirs = os.openpty()
    with open(theirs, "w") as gone, open(os.devnull, "w") as there:
        monkeypatch.setattr("sys.stdout", gone)
        monkeypatch.setattr("sys.stderr", there)
        callback = saving()
        os.close(ours)
        with pytest.raises(OSError, match="Input/output error"):
            os.write(theirs, b"lost")
        signal.raise_signal(signal.SIGHUP)
        assert callback.signal == signal.SIGHUP
        print("said to nobody", file=gone, flush=True)
        assert os.path.samestat(os.fstat(theirs), os.stat(os.devnull))
        monkeypatch.undo()


def test_a_stream_that_is_no_file_is_left_alone(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", SimpleNamespace())
    checkpointing._leave_the_terminal()


def test_the_state_is_saved_only_if_the_run_is_still_ours(saving, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(checkpointing, "save_checkpoint", lambda *given: saved.append(given[1]))

    def lost():
        raise RuntimeError("another process goes on with it")

    trainer = SimpleNamespace(world_size=1, is_global_zero=True, should_stop=False)
    monkeypatch.setattr(checkpointing, "whole_state", lambda training: {"iteration": 20})
    training = SimpleNamespace(iteration=20, seconds=7.0)
    callback = saving(check=lost)
    with pytest.raises(RuntimeError, match="another process"):
        callback.on_train_batch_end(trainer, training)
    assert saved == []
    callback = saving(seconds=7.0)
    training.iteration = 21
    callback.on_train_batch_end(trainer, training)
    assert trainer.should_stop
    assert saved == [{"iteration": 20}]
