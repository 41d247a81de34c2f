"""The verb ``upscale``: apply a trained network to photos, folders and videos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from wildsr.atomic import check_output
from wildsr.config.allocator import tune_allocator
from wildsr.config.check import checked
from wildsr.config.trust import trusts
from wildsr.error import UserError
from wildsr.inference.closeness import BOUND
from wildsr.inference.device import choose_device
from wildsr.inference.job import Outcome, carry_out, tasks
from wildsr.inference.settings import Settings
from wildsr.inference.upscaler import Upscaler
from wildsr.inference.video import CONTAINERS, VIDEOS, upscale_video
from wildsr.run.load import load_upscaler


def upscale(overrides: list[str], console: Console) -> int:
    """Upscale and report; returns the exit code, 1 if a photo failed."""
    config = checked("upscale", overrides)
    settings = _settings(config)
    source, output = (Path(str(config[key])).expanduser() for key in ("input", "output"))
    if not source.exists():
        raise UserError(f"`input`: {source} does not exist.")
    tune_allocator()
    if source.is_file() and source.suffix.lower() in VIDEOS:
        return _video(config, source, output, settings, console)
    todo = tasks(source, output, settings.format)
    if not config.overwrite and all(task.target.exists() for task in todo):
        _summary(Outcome(skipped=[task.target for task in todo]), output, console)
        return 0
    check_output(Path(os.path.commonpath([task.target.parent for task in todo])))
    upscaler = _upscaler(config, console)
    scale = upscaler.scale
    total = sum(task.pixels for task in todo) * scale**2
    with _bar(console) as bar:
        running = bar.add_task("upscaling", total=total)

        def note(line: str) -> None:
            if console.is_terminal:  # elsewhere the summary, which says it too, is not far
                bar.console.print(f"[red]failed[/red] {escape(line)}")

        outcome = carry_out(
            upscaler,
            todo,
            settings,
            config.overwrite,
            lambda pixels: bar.advance(running, pixels * scale**2),
            note,
        )
    _summary(outcome, output, console)
    return 1 if outcome.failed else 0


def _video(
    config: DictConfig, source: Path, output: Path, settings: Settings, console: Console
) -> int:
    named = output.suffix.lower() in VIDEOS and not output.is_dir()
    own = source.name if source.suffix.lower() in CONTAINERS else f"{source.stem}.mkv"
    target = output if named else output / own
    if target.resolve() == source.resolve():
        raise UserError(f"`output` must be another file than the video ({source}).")
    if target.exists() and not config.overwrite:
        console.print(f"{target} exists; overwrite=true makes it again", markup=False)
        return 0
    check_output(target.parent)
    upscaler = _upscaler(config, console)
    with _bar(console) as bar:
        running = bar.add_task("upscaling", total=None)

        def advance(done: int, all: int) -> None:
            bar.update(running, completed=done, total=all or None)

        frames = upscale_video(
            upscaler, source, target, settings.outscale, settings.quality, advance, settings.limit
        )
    console.print(f"{frames} frames: {target}", markup=False)
    return 0


def _settings(config: DictConfig) -> Settings:
    """How results are written."""
    choose_device(config.device)
    keys = ("outscale", "format", "quality", "depth", "limit", "page", "bands", "range")
    named: dict[str, Any] = {key: config[key] for key in keys}
    for key in ("bands", "range"):
        named[key] = list(named[key]) if isinstance(named[key], ListConfig) else named[key]
    return Settings(**named, identity=config.identity == "keep")


def _upscaler(config: DictConfig, console: Console) -> Upscaler:
    keys = ("engine", "device", "precision", "ensemble", "colour_fix", "tile", "overlap", "batch")
    options = {key: config[key] for key in (*keys, "strength")}
    upscaler = load_upscaler(config.run, config.weights, **options, trust=trusts(config))
    if config.scale not in (None, upscaler.scale):
        raise UserError(
            f"`scale` must be that of the network, {upscaler.scale}, but got {config.scale}; "
            "`outscale` is the size of the result / size of the photo."
        )
    kind = str(upscaler.dtype).removeprefix("torch.")
    if upscaler.single is not None:
        kind += f" where a photo stays within {BOUND:.0f} dB of float32"
    console.print(
        escape(f"{upscaler.name}: x{upscaler.scale}, {config.engine} on {upscaler.device}, {kind}")
    )
    return upscaler


def _summary(outcome: Outcome, output: Path, console: Console) -> None:
    million = outcome.pixels / 1e6
    speed = f", {million / outcome.seconds:.2f} MPix/s" if outcome.done else ""
    console.print(
        f"{len(outcome.done)} upscaled ({million:.1f} MPix{speed}): {output}", markup=False
    )
    if outcome.skipped:
        console.print(
            f"{len(outcome.skipped)} skipped, which exist (overwrite=true makes them again)"
        )
    if outcome.failed:
        console.print(f"{len(outcome.failed)} failed:")
        for path, reason in outcome.failed:
            console.print(f"  {path}: {reason}", markup=False)


class _Speed(ProgressColumn):
    """Megapixels of output a second."""

    def render(self, task: Task) -> Text:
        """Over the last seconds."""
        speed = task.finished_speed or task.speed
        return Text("" if not speed else f"{speed / 1e6:.2f} MPix/s")


def _bar(console: Console) -> Progress:
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f}%"), _Speed(), TimeRemainingColumn())
    return Progress(
        TextColumn("{task.description}"),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
