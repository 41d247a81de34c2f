"""Save checkpoints at intervals; stop cleanly on a signal or when the time is up."""

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
from wildsr.training.state import whole_state

# Ctrl-C; a scheduler that needs the machine; a closed terminal or connection; and the signals that
# schedulers can send before a job's time is up.
SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)

OUT_OF_TIME = 1000  # above all signal numbers: the time is up, and the run is then finished


class Checkpointing(lightning.Callback):
    """Saves the training state at intervals and at the end; stops training on a signal.

    Args:
        folder: of the checkpoints.
        every: iterations between checkpoints.
        keep: how many checkpoints are kept.
        extra: what else each checkpoint holds: plain containers.
        seconds: stop after this much training time; None for no limit.
        check: called before anything is written; raises if the run no longer belongs to this
            process.
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
        """Install signal handlers: a first signal stops training after the iteration.

        A second Ctrl-C stops it at once.
        """
        assert isinstance(training, Training)
        self._saved = training.iteration
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) == signal.SIG_IGN and number != signal.SIGINT:
                    continue  # ignored on purpose, for instance by `nohup`
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
        """Save a checkpoint if one is due; stop training if a signal came or the time is up."""
        assert isinstance(training, Training)
        out_of_time = self.seconds is not None and training.seconds >= self.seconds
        # All processes of a training stop together, whichever got the signal.
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
        """Save the last state and restore the previous signal handlers."""
        assert isinstance(training, Training)
        self._save(trainer, training)
        self.teardown(trainer, training, "fit")

    def teardown(
        self, trainer: lightning.Trainer, training: lightning.LightningModule, stage: str
    ) -> None:
        """Restore the previous signal handlers, also after an error."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _save(self, trainer: lightning.Trainer, training: Training) -> None:
        if training.iteration == self._saved:
            return
        state = whole_state(training)  # on every rank: the pools are gathered
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
