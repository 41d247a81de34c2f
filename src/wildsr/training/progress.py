"""The progress bar and the curves: iteration, speed, time left, time spent waiting for data."""

from __future__ import annotations

import time
from typing import Any

import lightning
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from wildsr.network.protocol import Physical
from wildsr.training.logger import Log
from wildsr.training.module import Training


class Waiting(lightning.Callback):
    """Measures the time between iterations: waiting for data and callbacks.

    It must be the last of the callbacks.

    Attributes:
        seconds: so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._ended = 0.0

    def on_train_start(self, *_: Any) -> None:
        """Start to wait for the first batch."""
        self._ended = time.perf_counter()

    def on_train_batch_start(self, *_: Any) -> None:
        """Stop waiting: the batch has arrived."""
        self.seconds += time.perf_counter() - self._ended

    def on_train_batch_end(self, *_: Any) -> None:
        """Start to wait for the next batch."""
        self._ended = time.perf_counter()


class ProgressBar(lightning.Callback):
    """Shows and logs the progress of training.

    A bar on a terminal; elsewhere a line every 15 seconds.

    Args:
        name: shown before the bar.
        iterations: of the whole run.
        every: iterations between points of a curve.
        logs: where the curves go.
        console: where the bar goes.
        seconds: the limit of training time, if there is one.

    Attributes:
        waiting: the callback that measures waiting; must be called last.
    """

    def __init__(
        self,
        name: str,
        iterations: int,
        every: int,
        logs: list[Log],
        console: Console,
        seconds: float | None = None,
    ) -> None:
        self.name, self.iterations, self.every, self.logs = name, iterations, every, logs
        self.console, self.seconds = console, seconds
        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self.task: TaskID | None = None
        self.waiting = Waiting()
        self.last_line = self.mark = self.waited = 0.0
        self.marked = 0

    def on_train_start(
        self, trainer: lightning.Trainer, training: lightning.LightningModule
    ) -> None:
        """Open the bar."""
        assert isinstance(training, Training)
        self.last_line = self.mark = time.perf_counter()
        self.marked = training.iteration
        if trainer.is_global_zero:
            self.bar.start()
            self.task = self.bar.add_task(
                self.name, total=self.iterations, completed=training.iteration, note=""
            )

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        training: lightning.LightningModule,
        *_: Any,
    ) -> None:
        """Update the bar and add points to the curves."""
        assert isinstance(training, Training)
        now = time.perf_counter()
        if trainer.is_global_zero:
            done = training.iteration
            if done % self.every == 0 or done == self.iterations:
                speed = (done - self.marked) / max(now - self.mark, 1e-9)
                waiting = (self.waiting.seconds - self.waited) / max(now - self.mark, 1e-9)
                self._log(training, speed, waiting)
                left = (self.iterations - done) / max(speed, 1e-9)
                goal = f"{done}/{self.iterations}"
                if self.seconds is not None and self.seconds - training.seconds < left:
                    left = self.seconds - training.seconds
                    goal = f"{done}, {training.seconds:.0f}/{self.seconds:.0f} s"
                stage = training.stages.at(done - 1)
                note = f"iteration {goal}  {speed:.1f} it/s  waiting for data {waiting:.0%}"
                note = note if stage is None else f"{stage}: {note}"
                share = done + left * speed  # iterations in all, by the present speed
                if self.task is not None:
                    self.bar.update(self.task, completed=done, total=share, note=note)
                if not self.console.is_terminal and now - self.last_line > 15:
                    self.console.print(
                        f"{escape(self.name)}: {escape(note)}  {max(left, 0):.0f} s left"
                    )
                    self.last_line = now
                self.mark, self.marked, self.waited = now, done, self.waiting.seconds

    def _log(self, training: Training, speed: float, waiting: float) -> None:
        values = {name: float(value) for name, value in training.values.items()}
        for name, network in training.networks.items():
            if isinstance(network, Physical):
                stated = network.physical()
                values |= {f"{name}/{key}": value for key, value in stated.items()}
        values |= {"speed/iterations_per_second": speed, "speed/waiting_for_data": waiting}
        for log in self.logs:
            log.scalars(values, training.iteration)

    def on_train_end(self, *_: Any) -> None:
        """Close the bar."""
        self.bar.stop()

    def on_exception(self, *_: Any) -> None:
        """Close the bar."""
        self.bar.stop()
