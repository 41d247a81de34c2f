"""The verb ``train``: the main job, from two folders to an upscaler and an honest table."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape

from wildsr import build, checkpoint, run
from wildsr.artifact import artifact
from wildsr.command import configure
from wildsr.data.module import Folders
from wildsr.error import UserError, unknown
from wildsr.evaluation import Upscale, evaluate, interpolation, of_lr, tiled
from wildsr.explain import explain, explain_table
from wildsr.harvest import harvest
from wildsr.help import program
from wildsr.hint import jpeg_hint
from wildsr.inference.weights import save_weights
from wildsr.keeper import Keeper
from wildsr.logger import KINDS, Log, loggers
from wildsr.method.part import given
from wildsr.metric.panel import Panel
from wildsr.progress import Progressing
from wildsr.report import results
from wildsr.report.page import Page, write_page
from wildsr.report.summary import summarise
from wildsr.run_card import card_of_training
from wildsr.snapshot import FOLDER as SNAPSHOTS
from wildsr.snapshot import Snapshots
from wildsr.training import Training
from wildsr.watch import Watch, pictures, readable, restorer

BASELINE = "bicubic-trained"
PAGE = 10 * 10**6  # bytes of pictures on a run's page: made in seconds
_RUN = "WILDSR_RUN"  # the run's folder, for the processes that Lightning starts for further devices


@dataclass
class Job:
    """What a training needs to know about the run that it is part of."""

    config: DictConfig
    data: Folders
    panel: Panel
    console: Console


def train(overrides: list[str], console: Console) -> int:
    """Train, compare, report; the exit code."""
    config = configure("train", overrides)
    resumed = _resumed(config, overrides)
    if resumed is not None:
        overrides = run.merged(resumed, overrides)
        config = configure("train", overrides)
    if (scale := build.scale_of_weights(config, overrides)) is not None:
        config = configure("train", [*overrides, f"scale={scale}"])
    build.check(config)
    console.quiet = console.quiet or _process() > 0
    build.tune_allocator()
    if config.explain:
        console.print(escape(explained(config)))
        return 0
    data: Folders = build.make(config.data, "data")
    panel: Panel = build.make(config.metric, "metric")
    _check(config, resumed)
    data.prepare_data()
    data.setup()
    assert data.report is not None
    for line in data.report.lines():
        console.print(escape(line))
    if (hint := jpeg_hint(config, data.lr_store)) is not None:
        console.print(f"hint: {hint}", highlight=False)
    readable(data.photos, console)
    folder = _folder(config, overrides, resumed)
    console.print(f"run folder: {folder.folder}{' (resumed)' if folder.resumed else ''}")

    job = Job(config, data, panel, console)
    name = str(config.method._target_).rsplit(".", 2)[-2]
    logs = _loggers(job, config.logger, folder)
    try:
        training, stopped = _fit(job, folder, name, logs)
        if stopped is not None:
            return _left(console, folder, stopped)
        upscalers: dict[str, Upscale] = {"bicubic": interpolation("bicubic", config.scale)}
        if config.baseline:
            baseline, stopped = _fit_baseline(job, folder, training)
            if stopped is not None:
                return _left(console, folder, stopped)
            upscalers[BASELINE] = tiled(restorer(baseline), config.scale, config.tile)
        upscalers[name] = tiled(restorer(training), config.scale, config.tile)
        if training.global_rank == 0:
            _report(job, folder, training, upscalers, logs)
    finally:
        for log in logs:
            log.finish()
    return 0


def _left(console: Console, folder: run.Run, signal: int) -> int:
    """Say how to go on with a run that a signal ended; the exit code."""
    console.print(f"stopped and saved; go on with: {program('train')} resume={folder.folder}")
    return 128 + signal


def _check(config: DictConfig, resumed: Path | None) -> None:
    """Refuse what cannot be trained, or not go on, before any photo is read or file written."""
    if config.logger.kind not in KINDS:
        raise unknown("`logger`", config.logger.kind, KINDS)
    build.trainer(config, [])
    training = build.training(config)
    if resumed is not None and checkpoint.checkpoints(resumed / "checkpoints"):
        training.restore(checkpoint.newest(resumed))


def explained(config: DictConfig) -> str:
    """The table of ``explain=true``: what each update trains, computes and holds constant."""
    training = build.training(config)
    networks = dict(training.networks.items())
    batch = build.sample_batch(config)
    return explain_table(explain(training.objective, networks, batch, config.scale))


def _resumed(config: DictConfig, overrides: list[str]) -> Path | None:
    if config.resume is None:
        return None
    return run.to_resume(
        str(config.resume), Path(config.runs_dir).expanduser(), config.name, overrides
    )


def _folder(config: DictConfig, overrides: list[str], resumed: Path | None) -> run.Run:
    if _process() > 0:
        named = config.name and Path(config.runs_dir).expanduser() / config.name
        if _RUN not in os.environ and not named:
            raise UserError("`name` must be given where several processes are started by hand.")
        folder = Path(os.environ.get(_RUN) or named)
        return run.Run(folder, bool(checkpoint.checkpoints(folder / "checkpoints")))
    if resumed is not None:
        run.record(resumed, config, overrides)
        made = run.Run(resumed, bool(checkpoint.checkpoints(resumed / "checkpoints")))
    else:
        method, data = (str(config[k]._target_).rsplit(".", 2)[-2] for k in ("method", "data"))
        data = {"module": "folders"}.get(data, data)
        made = run.create(config, overrides, f"{method}-{data}")
    os.environ[_RUN] = str(made.folder)
    return made


def _iteration(folder: run.Run) -> int:
    return int(checkpoint.newest(folder.folder)["iteration"]) if folder.resumed else 0


def _fit(
    job: Job, folder: run.Run, name: str, logs: list[Log], seconds: float | None = None
) -> tuple[Training, int | None]:
    """Train, or go on training, to the end; the training, and the signal that ended it early."""
    config = job.config
    training = build.training(config)
    if folder.resumed:
        training.restore(checkpoint.newest(folder.folder))
    else:
        shown = folder.folder if _process() == 0 else None
        for line in harvest(training, job.data.lr_store, shown):
            job.console.print(escape(line))
    training.to(memory_format=torch.channels_last)
    seconds = config.seconds if seconds is None else seconds
    finished = training.iteration >= config.iterations or (
        seconds is not None and training.seconds >= seconds
    )
    if finished:
        return training, None
    data = job.data
    data.start, data.iterations = training.iteration, config.iterations
    data.other_hr = "other_hr" in training.objective.method.parts[given]
    keeper = Keeper(
        folder.checkpoints,
        config.checkpoint_every,
        config.keep,
        {"config": run.plain(config)},
        seconds,
    )
    progress = Progressing(name, config.iterations, config.log_every, logs, job.console, seconds)
    watch = Watch(
        data, job.panel, config.validate_every, folder.images, logs, config.tile, job.console
    )
    snapshots = Snapshots(folder.folder / SNAPSHOTS, config.checkpoint_every, config.snapshots)
    # In this order, so that the time of a checkpoint or a look is not taken for waiting for data.
    trainer = build.trainer(config, [keeper, snapshots, watch, progress])
    trainer.fit(training, train_dataloaders=data.train_dataloader())
    return training, keeper.signal


def _fit_baseline(job: Job, folder: run.Run, training: Training) -> tuple[Training, int | None]:
    """The same upscaler, trained on bicubic pairs for as many seconds: what people do today."""
    plain = run.plain(job.config)
    own = plain["method"]
    supervised = configure(
        "train", ["method=supervised", "degradation=bicubic", f"scale={plain['scale']}"]
    )
    method = run.plain(supervised)["method"]
    method["networks"]["upscale"] = own["networks"]["upscale"]
    method["optimizers"]["upscale"] = own["optimizers"]["upscale"]
    # A rate that falls to 0 by the end of the iterations would end here long before the time does.
    method["schedules"] = {
        n: s for n, s in own["schedules"].items() if n == "upscale" and "until" not in s
    }
    method["ema"] = own["ema"]
    ends_by_the_clock = 100 * plain["iterations"]
    config = OmegaConf.create(
        {**plain, "method": method, "iterations": ends_by_the_clock, "snapshots": 0}
    )
    inner = folder.folder / BASELINE
    sub = run.Run(inner, bool(checkpoint.checkpoints(inner / "checkpoints")))
    inner.mkdir(exist_ok=True)
    run.record(inner, config, [])
    again = Job(config, job.data, job.panel, job.console)
    logs = _loggers(again, {"kind": "csv"}, sub)
    return _fit(again, sub, BASELINE, logs, seconds=training.seconds)


def _report(
    job: Job, folder: run.Run, training: Training, upscalers: dict[str, Upscale], logs: list[Log]
) -> None:
    """The table, the pictures and the weights, at the end."""
    console, config = job.console, job.config
    scale = config.scale
    sources = sorted(training.ema.networks)
    weights = []
    for name in sources:
        suffix = "" if len(sources) == 1 else f"_{name}"
        architecture: Any = OmegaConf.to_container(config.method.networks[name], resolve=True)
        factor = scale if name == "upscale" else 1  # a cleaner leaves the size as it is
        path = folder.weights / f"{factor}x_{folder.folder.name}{suffix}.safetensors"
        save_weights(training.ema.networks[name], path, architecture, factor)
        weights.append(path)
        console.print(f"weights: {path}")
    begun = time.perf_counter()
    restores = {name: lambda u=upscale: of_lr(u) for name, upscale in upscalers.items()}
    photos = {"validation": job.data.photos}
    outcomes, of_sets = evaluate(restores, photos, job.panel, folder.folder / "results")
    protocol = {
        **job.panel.protocol(),
        "photos": len(job.data.photos),
        "scale": scale,
        "iterations": training.iteration,
        "training_seconds": round(training.seconds, 1),
        "trained_on": {"lr": len(job.data.lr_store), "hr": len(job.data.hr_store)},
    }
    summary = summarise(outcomes, protocol, config.seed, of_sets, job.panel.parts)
    results.write(folder.folder, summary)
    made = pictures(training, job.data, upscalers[next(reversed(upscalers))], folder.folder)
    if (card := card_of_training(training, job.data, folder.folder, console)) is not None:
        made["report_card"] = card
    files = artifact(folder.folder, training, weights, made)
    texts = {"configuration": OmegaConf.to_yaml(config, resolve=True)}
    page = Page(folder.folder.name, scale, PAGE, {folder.folder.name: folder.folder}, texts)
    console.print(f"page: {write_page(folder.folder, summary, photos, page)}")
    for log in logs:
        log.pictures(made, training.iteration)
        log.files(files)
        log.table("results", results.flat(summary), training.iteration)
        for row in summary.of_set(None):
            known = {f"test/{row.row}/{k}": v for k, v in row.values.items() if v is not None}
            log.scalars(known, training.iteration)
    for path in made.values():
        console.print(f"picture: {path}")
    console.print(
        f"evaluated in {time.perf_counter() - begun:.0f} s; {folder.folder / 'results.json'}\n"
    )
    console.print(escape(results.table(summary, None)))
    if not any("hr" in job.data.photos[i] for i in range(min(1, len(job.data.photos)))):
        console.print("No ground truth was given (data.val_lr, data.val_hr): look at the pictures.")
        return
    for what, needs in job.panel.missing().items():
        console.print(f"{results.heading(summary, what)} is missing: {escape(str(needs))}")


def _loggers(job: Job, settings: Mapping[str, Any], folder: run.Run) -> list[Log]:
    """The loggers of the first process; the others have nothing to say."""
    if _process() > 0:
        return []

    def say(text: str) -> None:
        job.console.print(escape(text))

    return loggers(settings, folder.folder, run.plain(job.config), _iteration(folder), say)


def _process() -> int:
    """Which of the processes this is, for further devices have one each."""
    return int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)
