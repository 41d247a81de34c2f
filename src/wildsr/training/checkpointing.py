"""Checkpoints at intervals, and a clean leave on Ctrl-C, SIGTERM or when the time is up."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import lightning

from wildsr.run.checkpoint import save_checkpoint
from wildsr.training.module import Training


class Checkpointing(lightning.Callback):
    """Saves the training state at intervals and at the end; ends training when asked to.

    Args:
        folder: of the checkpoints.
        every: iterations.
        keep: how many checkpoints stay.
        extra: what else each checkpoint holds: plain containers.
        seconds: end after this much training time; None for no limit.
    """

    def __init__(
        self,
        folder: Path,
        every: int,
        keep: int,
        extra: dict[str, Any],
        seconds: float | None = None,
    ) -> None:
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
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._asked_to_stop)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        training: lightning.LightningModule,
        *_: Any,
    ) -> None:
        """Save when it is time; end training when asked to."""
        assert isinstance(training, Training)
        stop = self.signal is not None or (
            self.seconds is not None and training.seconds >= self.seconds
        )
        stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
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
            save_checkpoint(self.folder, {**state, **self.extra}, self.keep)
        self._saved = training.iteration
