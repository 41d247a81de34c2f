"""The training job: from two folders to an upscaler and a table that compares it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from wildsr.config.allocator import tune_allocator
from wildsr.config.check import check_config
from wildsr.config.compose import configure, unused_choices
from wildsr.config.help import program
from wildsr.config.make import make, scale_of_weights, sensor_of
from wildsr.config.trust import trusts
from wildsr.data.module import Folders
from wildsr.error import UserError
from wildsr.evaluation.evaluate import Restore, interpolating
from wildsr.evaluation.summary import Summary
from wildsr.method.upscaling import Upscaling
from wildsr.metric.panel import Panel
from wildsr.photo.sensor import RGB
from wildsr.run.folder import BASELINE, Run, to_resume
from wildsr.run.lock import Lock
from wildsr.run.resume import resumed_config
from wildsr.run.saved import chooses_metrics, override_key
from wildsr.training import inventory
from wildsr.training.build import training_device
from wildsr.training.finish import report_run
from wildsr.training.pretrained import stand_ins
from wildsr.training.rank import process_rank
from wildsr.training.session import (
    Job,
    Watch,
    explained,
    fit,
    fit_baseline,
    prepare,
    run_folder,
    run_loggers,
)
from wildsr.training.validation import readable, restoring

# Measured where there is no ground truth and no metric was chosen: what needs nothing else.
WITHOUT_TRUTH = (
    *("lr_consistency", "colour_drift", "noise_residue", "sharpness"),
    *("ringing", "blockiness", "checkerboard"),
)
WHICH = ("resume", "runs_dir", "name", "trust")  # the keys that determine which run is resumed


@dataclass(frozen=True)
class Trained:
    """The outcome of a training.

    Args:
        folder: of the run.
        summary: the table; None if a signal stopped it, and in all processes but the first.
        signal: that stopped it early; None if it came to its end.
    """

    folder: Path
    summary: Summary | None
    signal: int | None = None


def train(overrides: list[str], console: Console, watch: Watch | None = None) -> Trained | None:
    """Train, compare with baselines and report; None for ``explain=true``, which trains nothing.

    Args:
        overrides: as typed on the command line.
        console: of the user.
        watch: observes the training; an exception it raises ends the training.

    Raises:
        UserError: an invalid configuration, or photos that cannot be trained on.
    """
    with ExitStack() as held:
        return _train(overrides, console, held, watch)


def _train(
    overrides: list[str], console: Console, held: ExitStack, watch: Watch | None
) -> Trained | None:
    """As :func:`train`.

    Args:
        overrides: what was typed.
        console: of the user.
        held: lets go of the run's lock at the end.
        watch: looks on.
    """
    # First only which run it is: other overrides may depend on the resumed run's configuration.
    typed = overrides
    config = configure("train", [o for o in overrides if override_key(o) in WHICH])
    locks: dict[Path, Lock] = {}

    def claim(folder: Path) -> Lock:
        if folder not in locks:
            locks[folder] = held.enter_context(Lock(folder, "trained"))
        return locks[folder]

    resumed = _resumed(config, overrides)
    if resumed is not None:
        if process_rank() == 0 and "explain=true" not in overrides:
            claim(resumed)  # before anything of it is read that its process may still change
        config, overrides = resumed_config(resumed, overrides, trusts(config))
    else:
        config = configure("train", overrides)
        if (scale := scale_of_weights(config, overrides)) is not None:
            overrides = [*overrides, f"scale={scale}"]
            config = configure("train", overrides)
    check_config(config)
    console.quiet = console.quiet or process_rank() > 0
    tune_allocator()
    if config.explain:
        console.print(explained(config), markup=False)
        return None
    data: Folders = make(config.data, "data", Folders)
    make(config.metric, "metric", Panel)  # before any photo is read
    if resumed is not None and not data.fixed:
        data.sensor, data.fixed = RGB, True  # as it began
    training = prepare(config, resumed)
    if data.paired and not issubclass(training.objective.method, Upscaling):
        raise UserError(
            f"`data.{'lr' if data.aligned else 'pairs_lr'}`: method={config.method.name} is not "
            "trained on pairs; methods that are: supervised, wild, and others that train the "
            "upscaler on generated LR."
        )
    data.prepare_data()
    data.setup()
    assert data.report is not None
    assert data.sensor is not None
    if data.sensor != sensor_of(config):  # networks of other photos than 8-bit RGB
        overrides = [*overrides, *data.sensor.overrides()]
        config = configure("train", overrides)
        training = prepare(config, resumed)
    if resumed is None and not (data.photos.truths or chooses_metrics(overrides)):
        overrides = [*overrides, f"metric.metrics=[{','.join(WITHOUT_TRUTH)}]"]
        config = configure("train", overrides)
    panel: Panel = make(config.metric, "metric", Panel)
    for choice in unused_choices(overrides):  # of a resumed run: beside what it was started with
        console.print(
            f"note: `{choice}` has no effect: method={config.method.name} does not refer to it",
            markup=False,
        )
    if not data.sensor.plain:
        console.print(f"photos: {data.sensor.sentence()}", markup=False)
    for line in [*data.said, *data.report.lines(), *stand_ins(training.objective)]:
        console.print(line, markup=False)
    readable(data.photos, console)
    folder = run_folder(config, overrides, resumed, data, claim, typed)
    shown = f"run folder: {folder.folder}{' (resumed)' if folder.resumed else ''}"
    console.print(shown, markup=False)
    if resumed is not None and not folder.resumed:
        console.print("it has no checkpoint yet, and begins anew", markup=False)
    if process_rank() == 0:
        for line in inventory.changes(folder.folder, data) if folder.resumed else []:
            console.print(f"note: {line}", markup=False)
        inventory.write(folder.folder, data)

    job = Job(config, data, panel.take(data.sensor), console, watch)
    if watch is not None:
        watch.begin(job)
    name = str(config.method.name)
    logs = run_loggers(job, config.logger, folder, training.iteration)
    summary = None
    try:
        stopped = fit(job, folder, training, name, logs)
        if stopped is not None:
            return _left(console, folder, stopped)
        device = training_device(config)
        bicubic = interpolating("bicubic", config.scale)
        upscalers: dict[str, Callable[[], Restore]] = {"bicubic": lambda: bicubic}
        if config.baseline:
            baseline, stopped = fit_baseline(job, folder, training)
            if stopped is not None:
                return _left(console, folder, stopped)
            upscalers[BASELINE] = partial(restoring, baseline, device, config.tile)
        upscalers[name] = cache(partial(restoring, training, device, config.tile))
        if training.global_rank == 0:
            training.to(device)  # Lightning has moved it back to the CPU
            if watch is not None:
                watch.trained(training)
            summary = report_run(job, folder, training, upscalers, logs)
    finally:
        for log in logs:
            log.finish()
    return Trained(folder.folder, summary)


def _left(console: Console, folder: Run, signal: int) -> Trained:
    """Say how to go on with a run that a signal ended."""
    shown = f"stopped and saved; go on with: {program('train')} resume={folder.folder}"
    console.print(shown, markup=False)
    return Trained(folder.folder, None, signal)


def _resumed(config: DictConfig, overrides: list[str]) -> Path | None:
    if config.resume is None:
        return None
    return to_resume(str(config.resume), Path(config.runs_dir).expanduser(), config.name, overrides)
