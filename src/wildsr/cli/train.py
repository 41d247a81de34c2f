"""The verb ``train``: the main job, from two folders to an upscaler and an honest table."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape

from wildsr.config.allocator import tune_allocator
from wildsr.config.check import check_config
from wildsr.config.compose import configure
from wildsr.config.help import program
from wildsr.config.make import make, scale_of_weights
from wildsr.data.module import Folders
from wildsr.evaluation.evaluate import Upscale, interpolation, tiled
from wildsr.metric.panel import Panel
from wildsr.run.folder import BASELINE, Run, merged, to_resume
from wildsr.training.finish import report_run
from wildsr.training.hint import jpeg_hint
from wildsr.training.session import (
    Job,
    check_before,
    explained,
    fit,
    fit_baseline,
    process_rank,
    run_folder,
    run_loggers,
)
from wildsr.training.validation import readable, restorer


def train(overrides: list[str], console: Console) -> int:
    """Train, compare, report; the exit code."""
    config = configure("train", overrides)
    resumed = _resumed(config, overrides)
    if resumed is not None:
        overrides = merged(resumed, overrides)
        config = configure("train", overrides)
    if (scale := scale_of_weights(config, overrides)) is not None:
        config = configure("train", [*overrides, f"scale={scale}"])
    check_config(config)
    console.quiet = console.quiet or process_rank() > 0
    tune_allocator()
    if config.explain:
        console.print(escape(explained(config)))
        return 0
    data: Folders = make(config.data, "data")
    panel: Panel = make(config.metric, "metric")
    told = check_before(config, resumed)
    data.prepare_data()
    data.setup()
    assert data.report is not None
    for line in [*data.report.lines(), *told]:
        console.print(escape(line))
    if (hint := jpeg_hint(config, data.lr_store)) is not None:
        console.print(f"hint: {hint}", highlight=False)
    readable(data.photos, console)
    folder = run_folder(config, overrides, resumed)
    console.print(f"run folder: {folder.folder}{' (resumed)' if folder.resumed else ''}")

    job = Job(config, data, panel, console)
    name = str(config.method._target_).rsplit(".", 2)[-2]
    logs = run_loggers(job, config.logger, folder)
    try:
        training, stopped = fit(job, folder, name, logs)
        if stopped is not None:
            return _left(console, folder, stopped)
        upscalers: dict[str, Upscale] = {"bicubic": interpolation("bicubic", config.scale)}
        if config.baseline:
            baseline, stopped = fit_baseline(job, folder, training)
            if stopped is not None:
                return _left(console, folder, stopped)
            upscalers[BASELINE] = tiled(restorer(baseline), config.scale, config.tile)
        upscalers[name] = tiled(restorer(training), config.scale, config.tile)
        if training.global_rank == 0:
            report_run(job, folder, training, upscalers, logs)
    finally:
        for log in logs:
            log.finish()
    return 0


def _left(console: Console, folder: Run, signal: int) -> int:
    """Say how to go on with a run that a signal ended; the exit code."""
    console.print(f"stopped and saved; go on with: {program('train')} resume={folder.folder}")
    return 128 + signal


def _resumed(config: DictConfig, overrides: list[str]) -> Path | None:
    if config.resume is None:
        return None
    return to_resume(str(config.resume), Path(config.runs_dir).expanduser(), config.name, overrides)
