"""One training in its run folder: start or resume, fit, fit the bicubic baseline."""

from __future__ import annotations

import copy
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from wildsr.config.compose import configure
from wildsr.config.make import sample_batch
from wildsr.config.plain import as_config
from wildsr.data.module import Folders
from wildsr.error import UserError
from wildsr.method.part import given
from wildsr.metric.panel import Panel
from wildsr.run.checkpoint import checkpoints, newest_checkpoint
from wildsr.run.folder import BASELINE, Run, create, plain_config, record
from wildsr.run.lock import Lock
from wildsr.run.snapshot import SNAPSHOTS
from wildsr.training.build import build_trainer, build_training, processes, training_device
from wildsr.training.checkpointing import Checkpointing
from wildsr.training.explain import explain, explain_table
from wildsr.training.harvest import Harvest
from wildsr.training.logger import Log, loggers
from wildsr.training.module import Training
from wildsr.training.precision import SINGLE, choose_training_precision
from wildsr.training.progress import ProgressBar
from wildsr.training.rank import process_rank
from wildsr.training.residual_test import ResidualTest
from wildsr.training.schedule import Ending
from wildsr.training.snapshots import Snapshots
from wildsr.training.state import restore
from wildsr.training.validation import Validation

_RUN = "WILDSR_RUN"  # passes the run's folder to the processes that Lightning starts


class Watch(lightning.Callback):
    """A callback that observes a training; sweeps use it to end trials early."""

    def begin(self, job: Job) -> None:
        """Called before the first iteration, with what is trained on."""

    def trained(self, training: Training) -> None:
        """Called with the training at its end, on its device."""


class Crops(lightning.LightningDataModule):
    """Makes the data loader once the processes know their ranks: each gets its own crops."""

    def __init__(self, data: Folders) -> None:
        super().__init__()
        self.data = data

    def train_dataloader(self) -> Any:
        """The batches of this process."""
        return self.data.train_dataloader()


@dataclass
class Job:
    """The configuration, data, metrics and console of a training."""

    config: DictConfig
    data: Folders
    panel: Panel
    console: Console
    watch: Watch | None = None


def prepare(config: DictConfig, resumed: Path | None) -> Training:
    """Build the training and restore its checkpoint, before any photo is read or file written.

    Args:
        config: of the training.
        resumed: the run folder to resume from, if it has a checkpoint.

    Raises:
        UserError: the configuration cannot be trained, or the checkpoint does not fit it.
    """
    build_trainer(config, [])
    training = build_training(config)
    if resumed is not None and checkpoints(resumed / "checkpoints"):
        restore(training, newest_checkpoint(resumed))
    return training


def explained(config: DictConfig) -> str:
    """The table of ``explain=true``: what each update trains, computes and holds constant."""
    training = build_training(config)
    networks = dict(training.networks.items())
    batch = sample_batch(config)
    return explain_table(explain(training.objective, networks, batch, config.scale))


def run_folder(
    config: DictConfig,
    overrides: list[str],
    resumed: Path | None,
    data: Folders,
    claim: Callable[[Path], Lock | None],
    typed: list[str],
) -> Run:
    """The folder of this training: the resumed one, or a new one; the same in all processes.

    Args:
        config: of the training.
        overrides: that it was composed from.
        resumed: the run folder to resume from, if any.
        data: its label is part of a new folder's name.
        claim: takes the lock of the folder.
        typed: those of the overrides that the user typed.

    Raises:
        UserError: several processes were started by hand without a ``name``.
    """
    if process_rank() > 0:
        named = config.name and Path(config.runs_dir).expanduser() / config.name
        if _RUN not in os.environ and not named:
            raise UserError("`name` must be given where several processes are started by hand.")
        folder = Path(os.environ.get(_RUN) or named)
        return Run(folder, bool(checkpoints(folder / "checkpoints")))
    if resumed is not None:
        record(resumed, config, overrides)
        made = Run(resumed, bool(checkpoints(resumed / "checkpoints")), claim(resumed))
    else:
        made = create(config, overrides, f"{config.method.name}-{data.label}", claim, typed)
    os.environ[_RUN] = str(made.folder)
    return made


def fit(
    job: Job,
    folder: Run,
    training: Training,
    name: str,
    logs: list[Log],
    seconds: float | None = None,
) -> int | None:
    """Train to the end; returns the signal that stopped it early, or None.

    Args:
        job: configuration, data, metrics, console.
        folder: of the run.
        training: new or restored.
        name: shown before the progress bar.
        logs: for curves and pictures.
        seconds: limit of training time; None: the configuration's.
    """
    config = job.config
    if process_rank() == 0:
        forget_after(folder, training.iteration)
    training.say = lambda line: job.console.print(line, markup=False)
    training.to(memory_format=torch.channels_last)
    seconds = config.seconds if seconds is None else seconds
    finished = training.iteration >= config.iterations or (
        seconds is not None and training.seconds >= seconds
    )
    if finished:
        return None
    data = job.data
    data.start, data.iterations = training.iteration, config.iterations
    data.other_hr = "other_hr" in training.objective.method.parts[given]
    checkpointing = Checkpointing(
        folder.checkpoints,
        config.checkpoint_every,
        config.keep,
        {"config": plain_config(config)},
        seconds,
        check=folder.lock.check if folder.lock is not None else None,
    )
    progress = ProgressBar(name, config.iterations, config.log_every, logs, job.console, seconds)
    validation = Validation(
        data, job.panel, config.validate_every, folder.images, logs, config.tile, job.console
    )
    snapshots = Snapshots(folder.folder / SNAPSHOTS, config.checkpoint_every, config.snapshots)
    # The order matters: logs and pictures of an iteration are on disk before its checkpoint, and
    # the time they take does not count as waiting for data.
    watch = [] if job.watch is None else [job.watch]
    first = [] if folder.resumed else [Harvest(data, folder.folder, training.say)]
    tested = ResidualTest(data, folder.folder, training.say)
    looking = [snapshots, validation, progress, checkpointing, *watch, progress.waiting]
    callbacks: list[lightning.Callback] = [*first, tested, *looking]
    trainer = build_trainer(config, callbacks, _precision(job, training))
    try:
        trainer.fit(training, datamodule=Crops(data))
    except BaseException:
        launcher = trainer.strategy.launcher  # its other processes would wait forever
        if isinstance(launcher, _SubprocessScriptLauncher):
            launcher.kill(getattr(signal, "SIGKILL", signal.SIGTERM))
        raise
    return checkpointing.signal


def _precision(job: Job, training: Training) -> str:
    """Resolve ``trainer.precision=auto``, and print it if it is not single precision."""
    config = job.config
    if config.trainer.precision != "auto":
        return str(config.trainer.precision)
    settings: Any = OmegaConf.to_container(config.trainer, resolve=True)
    chosen = choose_training_precision(
        dict(training.networks.items()),
        training_device(config),
        config.data.patch,
        processes(settings),
    )
    if chosen != SINGLE and process_rank() == 0:
        line = f"precision: {chosen} (trainer.precision=32-true for single precision)"
        job.console.print(line, markup=False)
    return chosen


def forget_after(folder: Run, iteration: int) -> None:
    """Remove the validation pictures of iterations that will be repeated."""
    for path in folder.images.glob("iteration-*"):
        number = path.name.removeprefix("iteration-")
        if number.isdecimal() and int(number) > iteration:
            shutil.rmtree(path, ignore_errors=True)


def fit_baseline(job: Job, folder: Run, training: Training) -> tuple[Training, int | None]:
    """Train the same upscaler on bicubic pairs for as many seconds: the usual baseline.

    With a finish stage, for as many seconds as the faithful upscaler was trained.

    Returns:
        The training, and the signal that stopped it early, or None.
    """
    plain = plain_config(job.config)
    own = plain["method"]
    supervised = configure(
        "train", ["method=supervised", "degradation=bicubic", f"scale={plain['scale']}"]
    )
    method = plain_config(supervised)["method"]
    method["networks"]["upscale"] = own["networks"]["upscale"]
    method["optimizers"]["upscale"] = own["optimizers"]["upscale"]
    # Schedules that end with the iterations are left out, as this training ends by time.
    method["schedules"] = {
        n: s
        for n, s in own["schedules"].items()
        if n == "upscale" and not isinstance(training.schedules[n], Ending)
    }
    method["ema"] = own["ema"]
    ends_by_the_clock = 100 * plain["iterations"]
    config = as_config({**plain, "method": method, "iterations": ends_by_the_clock, "snapshots": 0})
    inner = folder.folder / BASELINE
    sub = Run(inner, bool(checkpoints(inner / "checkpoints")), folder.lock)
    inner.mkdir(exist_ok=True)
    record(inner, config, [])
    unpaired = copy.copy(job.data)  # what else it is trained on would not be bicubic pairs
    unpaired.pairs, unpaired.paired = None, 0
    again = Job(config, unpaired, job.panel, job.console)
    baseline = prepare(config, inner if sub.resumed else None)
    logs = run_loggers(again, {"kind": "csv"}, sub, baseline.iteration)
    seconds = training.seconds if training.guard is None else training.stages.began
    return baseline, fit(again, sub, baseline, BASELINE, logs, seconds=seconds)


def run_loggers(job: Job, settings: Mapping[str, Any], folder: Run, iteration: int) -> list[Log]:
    """The loggers of the first process; other processes have none.

    Raises:
        UserError: an unknown logger, or one whose package is missing.
    """
    if process_rank() > 0:
        return []

    def say(text: str) -> None:
        job.console.print(text, markup=False)

    return loggers(settings, folder.folder, plain_config(job.config), iteration, say)
