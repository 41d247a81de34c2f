"""The verb ``upscale``: apply a trained network to photos, folders and videos."""

from __future__ import annotations

import functools
from collections.abc import Callable
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

from wildsr.archive.address import local
from wildsr.archive.manifest import FOLDER, Manifest
from wildsr.archive.shard import Shard, shard_of
from wildsr.atomic import check_output
from wildsr.config.allocator import tune_allocator
from wildsr.config.check import checked
from wildsr.config.trust import trusts
from wildsr.error import UserError
from wildsr.inference.account import Outcome, left_as_they_are
from wildsr.inference.archives import failed_of, manifests_of, works
from wildsr.inference.closeness import BOUND
from wildsr.inference.cluster import Cluster, carry_out_on
from wildsr.inference.device import choose_device
from wildsr.inference.job import carry_out
from wildsr.inference.sample import first_photos
from wildsr.inference.settings import Settings
from wildsr.inference.tasks import Choice
from wildsr.inference.upscaler import Upscaler
from wildsr.inference.video import upscale_video
from wildsr.inference.video_output import VIDEOS, video_target
from wildsr.inference.work import Work
from wildsr.run.load import load_upscaler

SHOWN = 100  # maximum failures listed in the summary
PHOTOS = (
    "cluster",
    "retry",
    "format",
    "depth",
    "bands",
    "page",
    "range",
)  # keys that are of photos


def upscale(overrides: list[str], console: Console) -> int:
    """Upscale and report; returns the exit code, 1 if a photo failed.

    Raises:
        UserError: an invalid configuration, no photos, a missing network, an unusable output.
    """
    config = checked("upscale", overrides)
    settings = _settings(config)
    source, output = local(str(config.input)), local(str(config.output))
    tune_allocator()
    shard = shard_of(config.shard)
    film = Path(source).expanduser()
    if film.suffix.lower() in VIDEOS and film.is_file():
        if film.name not in shard:
            console.print(f"{film} belongs to another shard than {shard}", markup=False)
            return 0
        return _video(config, film, output, settings, console)
    only = None if config.retry is None else failed_of(source, output, shard)
    cluster = _cluster(config, console)
    if shard.count > 1:
        console.print(f"shard {shard} of the photos (shard=null takes all)", markup=False)
    outcome, files = Outcome(), []
    with works(source, output, settings.format, Choice(shard, only), config.overwrite) as found:
        opened = functools.cache(lambda: _upscaler(config, console))
        for work in found:

            def first(work: Work = work) -> Upscaler:
                work.check()
                return opened()

            upscale_these: Callable[..., Outcome] = functools.partial(carry_out, first)
            if cluster is not None:
                if not work.apart:
                    raise UserError("`cluster` takes folders and stores: one process fills a file.")
                upscale_these = functools.partial(carry_out_on, cluster, work.check)
            if work.skipped:
                files.append(work.name)
                continue
            outcome += _carry_out(work, upscale_these, shard, settings, config.overwrite, console)
    if files:
        console.print(left_as_they_are(files), markup=False)
    if outcome.tried or not files:
        _summary(outcome, output, console)
    return 1 if outcome.failed else 0


def _carry_out(
    work: Work,
    upscale_these: Callable[..., Outcome],
    shard: Shard,
    settings: Settings,
    overwrite: bool,
    console: Console,
) -> Outcome:
    """Upscale the photos that go to one place."""
    manifest = None if work.output is None else Manifest(work.output, shard)
    with _bar(console) as bar:
        running = bar.add_task("upscaling", total=None, pixels=0)

        def advance(photos: float, pixels: int) -> None:
            bar.advance(running, photos)
            all = bar.tasks[0].fields["pixels"] + pixels
            bar.update(running, total=work.found(), pixels=all)

        def note(line: str) -> None:
            if console.is_terminal:  # elsewhere the summary reports it
                bar.console.print(f"[red]failed[/red] {escape(line)}")

        try:
            return upscale_these(work.todo, settings, overwrite, advance, note, manifest)
        finally:
            work.stop()
            if manifest is not None:
                manifest.close()


def _cluster(config: DictConfig, console: Console) -> Cluster | None:
    """The cluster that was asked for; its network is opened once here, to see what is wrong."""
    if config.cluster is None:
        return None
    _upscaler(config, console, "cpu")
    made = functools.partial(load_upscaler, config.run, config.weights, **_options(config))
    return Cluster(str(config.cluster), made, config.workers, config.cores)


def _video(
    config: DictConfig, source: Path, output: str, settings: Settings, console: Console
) -> int:
    for key in PHOTOS:
        if config[key] is not None and (key, config[key]) != ("depth", 8):
            raise UserError(f"`{key}` is of photos only; leave it out for the video {source}.")
    target = video_target(source, output)
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


def _options(config: DictConfig) -> dict[str, Any]:
    """How a network is opened."""
    keys = ("engine", "device", "precision", "ensemble", "colour_fix", "tile", "overlap", "batch")
    options = {key: config[key] for key in (*keys, "strength")} | {"trust": trusts(config)}
    if config.precision == "int8" or config.engine == "auto":
        own = first_photos(local(str(config.input)), local(str(config.output)))
        options["calibration"] = own if config.calibration is None else str(config.calibration)
    return options


def _upscaler(config: DictConfig, console: Console, device: str | None = None) -> Upscaler:
    options = _options(config)
    if device is not None:  # only to check that it can be opened: the cluster computes
        options |= {"device": device, "engine": "torch", "precision": "fp32"}
    upscaler = load_upscaler(config.run, config.weights, **options)
    if config.scale not in (None, upscaler.scale):
        raise UserError(
            f"`scale` must be that of the network, {upscaler.scale}, but got {config.scale}; "
            "`outscale` is the size of the result / size of the photo."
        )
    where, engine, kind = upscaler.device, upscaler.carrier, upscaler.kind
    if config.cluster is not None:
        where, engine, kind = config.cluster, config.engine, f"precision={config.precision}"
    elif upscaler.single is not None:
        kind += f" where a photo stays within {BOUND:.0f} dB of float32"
    elif upscaler.cost is not None:
        kind += f", which costs {upscaler.cost:.1f} dB of PSNR to float32 on held-out patches"
    console.print(escape(f"{upscaler.name}: x{upscaler.scale}, {engine} on {where}, {kind}"))
    return upscaler


def _summary(outcome: Outcome, output: str, console: Console) -> None:
    million = outcome.pixels / 1e6
    speed = f", {million / outcome.seconds:.2f} MPix/s" if outcome.done else ""
    console.print(f"{outcome.done} upscaled ({million:.1f} MPix{speed}): {output}", markup=False)
    if outcome.skipped:
        line = f"{outcome.skipped} skipped, which exist (overwrite=true makes them again)"
        console.print(line, markup=False)
    if outcome.failed:
        console.print(f"{outcome.failed} failed:", markup=False)
        for path, reason in outcome.reasons[:SHOWN]:
            console.print(f"  {path}: {reason}", markup=False)
        if outcome.failed > SHOWN:
            more = f"{outcome.failed - SHOWN} more: {manifests_of(output)}/{FOLDER}"
            console.print(f"  and {more}", markup=False)


class _Speed(ProgressColumn):
    """Megapixels of output a second, since the beginning."""

    def render(self, task: Task) -> Text:
        """Nothing before the first photo, nor for what does not count pixels."""
        pixels, seconds = task.fields.get("pixels", task.completed), task.elapsed
        return Text("" if not pixels or not seconds else f"{pixels / 1e6 / seconds:.2f} MPix/s")


def _bar(console: Console) -> Progress:
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f}%"), _Speed(), TimeRemainingColumn())
    return Progress(
        TextColumn("{task.description}"),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
