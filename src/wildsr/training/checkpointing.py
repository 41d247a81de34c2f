"""Checkpoints at intervals, and a clean leave when asked to by a signal or when time is up."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch

from wildsr.run.checkpoint import save_checkpoint
from wildsr.training.module import Training

# Ctrl-C; a scheduler that needs the machine; a terminal or connection that is gone; and what
# schedulers are told to send ahead of the end of a job's time.
SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)

OUT_OF_TIME = 1000  # above all numbers of signals: a training whose time is up goes on to its end


class Checkpointing(lightning.Callback):
    """Saves the training state at intervals and at the end; ends training when asked to.

    Args:
        folder: of the checkpoints.
        every: iterations.
        keep: how many checkpoints stay.
        extra: what else each checkpoint holds: plain containers.
        seconds: end after this much training time; None for no limit.
        check: called before anything is written; raises where the run is no longer this process's.
    """

    def __init__(
        self,
        folder: Path,
        every: int,
        keep: int,
        extra: dict[str, Any],
        seconds: float | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.check = check
        self.folder, self.every, self.keep = folder, every, keep
        self.extra, self.seconds = extra, seconds
        self.signal: int | None = None
        self._saved = -1
        self._previous: dict[int, Any] = {}

    def on_train_start(
        self, trainer: lightning.Trainer, training: lightning.LightningModule
    ) -> None:
        """Take the signals: a first one ends training after the iteration, a second at once."""
        assert isinstance(training, Training)
        self._saved = training.iteration
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) == signal.SIG_IGN and number != signal.SIGINT:
                    continue  # `nohup`, say: it is to go on
                self._previous[number] = signal.signal(number, self._asked_to_stop)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
        if number == getattr(signal, "SIGHUP", None):
            _leave_the_terminal()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        training: lightning.LightningModule,
        *_: Any,
    ) -> None:
        """Save when it is time; end training when asked to."""
        assert isinstance(training, Training)
        out_of_time = self.seconds is not None and training.seconds >= self.seconds
        # The processes of one training stop together, whichever of them was asked to.
        asked = OUT_OF_TIME if self.signal is None and out_of_time else (self.signal or 0)
        if trainer.world_size > 1:
            mine = torch.tensor(asked, device=training.device)
            asked = int(trainer.strategy.reduce(mine, reduce_op="max"))
            self.signal = asked if 0 < asked < OUT_OF_TIME else self.signal
        stop = asked > 0
        if stop:
            trainer.should_stop = True
        if stop or training.iteration % self.every == 0:
            self._save(trainer, training)

    def on_train_end(self, trainer: lightning.Trainer, training: lightning.LightningModule) -> None:
        """Save the last state and give the signals back."""
        assert isinstance(training, Training)
        self._save(trainer, training)
        self.teardown(trainer, training, "fit")

    def teardown(
        self, trainer: lightning.Trainer, training: lightning.LightningModule, stage: str
    ) -> None:
        """Give the signals back, also after an error."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _save(self, trainer: lightning.Trainer, training: Training) -> None:
        if training.iteration == self._saved:
            return
        state = training.state()  # on every rank: the pools are gathered
        if trainer.is_global_zero:
            if self.check is not None:
                self.check()
            save_checkpoint(self.folder, {**state, **self.extra}, self.keep)
        self._saved = training.iteration


def _leave_the_terminal() -> None:
    """Write to nowhere from now on, where the terminal that was written to is gone."""
    with open(os.devnull, "w") as nowhere:
        for stream in (sys.stdout, sys.stderr):
            try:
                number = stream.fileno()
            except (ValueError, AttributeError):  # a stream that is no file
                continue
            try:
                os.write(number, b"")
            except OSError:
                os.dup2(nowhere.fileno(), number)
