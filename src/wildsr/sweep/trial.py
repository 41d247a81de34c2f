"""One trial: a training that is measured on the way, and pruned if it falls behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
from rich.console import Console

from wildsr.run.lock import Lock
from wildsr.sweep.objective import Objective
from wildsr.sweep.study import WORKING, optuna, place
from wildsr.training.module import Training
from wildsr.training.session import Job, Watch
from wildsr.training.train import train

TRIALS = "trials"  # subfolder of a sweep with the run folders


class Pruning(Watch):
    """Measures the objective at each validation of a training; prunes one that falls behind.

    Args:
        trial: Optuna's.
        objective: the number to measure.
        every: iterations between measurements.

    Attributes:
        value: of the finished training; None before.
    """

    def __init__(self, trial: Any, objective: Objective, every: int) -> None:
        self.trial, self.objective, self.every = trial, objective, every
        self.value: float | None = None
        self.job: Job | None = None

    def begin(self, job: Job) -> None:
        """Take over the photos."""
        self.job = job

    def on_train_batch_end(
        self, trainer: lightning.Trainer, training: lightning.LightningModule, *_: Any
    ) -> None:
        """Measure, and end the training if Optuna prunes it.

        Raises:
            optuna.TrialPruned: the trial fell behind.
            UserError: the objective cannot be computed.
        """
        assert isinstance(training, Training)
        assert self.job is not None
        at = training.iteration
        if at % self.every == 0 and at < self.job.config.iterations and not trainer.should_stop:
            self.trial.report(self.objective.of(training, self.job.data), at)
            if self.trial.should_prune():
                raise optuna().TrialPruned

    def trained(self, training: Training) -> None:
        """Measure at the end."""
        assert self.job is not None
        self.value = self.objective.of(training, self.job.data)
        self.trial.report(self.value, training.iteration)


def carry_out(
    trial: Any, objective: Objective, typed: Sequence[str], folder: Path, every: int
) -> tuple[float | None, int | None]:
    """Train one trial.

    Args:
        trial: Optuna's.
        objective: the number to measure.
        typed: the overrides of the training.
        folder: of the sweep.
        every: iterations between measurements.

    Returns:
        The objective, and the signal that stopped the training early, or None.

    Raises:
        optuna.TrialPruned: the trial fell behind.
        UserError: it cannot be trained.
    """
    name = place(trial)
    inside = folder / WORKING / name
    inside.mkdir(parents=True, exist_ok=True)
    runs = folder / TRIALS
    runs.mkdir(exist_ok=True)
    watch = Pruning(trial, objective, every)
    where = [f"runs_dir={runs}", f"name={name}", "resume=auto"]
    with Lock(inside, "tried"), (runs / f"{name}.log").open("a", encoding="utf-8") as log:
        console = Console(file=log, highlight=False, soft_wrap=True, emoji=False, width=200)
        trained = train([*typed, *where], console, watch)
    return watch.value, None if trained is None else trained.signal
