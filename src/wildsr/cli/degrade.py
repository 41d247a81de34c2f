"""The verb ``degrade``: write (HR, LR) pairs made by a learned or known degradation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, ListConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from torch import Tensor

from wildsr.archive.address import place_of
from wildsr.archive.manifest import Manifest
from wildsr.archive.place import Pair, Scratch
from wildsr.archive.shard import Shard, shard_of
from wildsr.archive.store import Store
from wildsr.cli.degrade_folder import (
    name_of,
    same_settings,
    settle_folder,
    settle_store,
    settled_files,
)
from wildsr.config.allocator import tune_allocator
from wildsr.config.check import checked
from wildsr.config.compose import configure
from wildsr.config.trust import trusts
from wildsr.error import UserError
from wildsr.inference.account import Outcome, left_as_they_are
from wildsr.inference.archives import failed_of, unzipped
from wildsr.inference.cluster import Cluster, carry_out_on
from wildsr.inference.degrading import FileDegrader, PairSettings
from wildsr.inference.device import choose_device
from wildsr.inference.job import carry_out
from wildsr.inference.packed import container_kind
from wildsr.inference.pair import begin_pair
from wildsr.inference.pair_tasks import Making, pair_works
from wildsr.inference.raster import own_range
from wildsr.inference.settings import Settings
from wildsr.inference.tasks import Choice, Task
from wildsr.inference.work import Work
from wildsr.photo.image import UnreadableImage, list_images, read_image
from wildsr.photo.samples import read_samples
from wildsr.photo.sensor import Sensor, made_into, span_of, unit_of
from wildsr.photo.unreadable import unreadable
from wildsr.pixels import as_rgb, floats_of
from wildsr.report.degradation.real_vs_fake import real_vs_fake
from wildsr.run.degradation import file_degrader
from wildsr.run.folder import config_of, plain_config
from wildsr.run.lease import Lease
from wildsr.run.photos import data_of
from wildsr.run.saved import override_key
from wildsr.run.together import writing_together

SHOWN = 4  # pairs that the picture shows
MEASURED = ("depth", "page", "bands", "range")  # what is taken of files, and how


def degrade(overrides: list[str], console: Console) -> int:
    """Write the pairs and a figure; returns 1 if a photo could not be read, else 0.

    Raises:
        UserError: an invalid configuration, an unusable output folder, a full disk.
    """
    config = _configured(overrides)
    if config.real is not None:
        list_images(Path(config.real).expanduser(), "real")
    output, shard = unzipped(str(config.output)), shard_of(config.shard)
    only = None if config.retry is None else failed_of(str(config.hr), output, shard)
    making = Making(config.format, config.draws, config.seed)
    settings = _pair_settings(config)
    with pair_works(str(config.hr), output, making, Choice(shard, only), config.overwrite) as works:
        apart = _apart(config, output)
        if apart:  # files of their own; what is wrong is said now
            found: Iterable[Work] = list(works)
        else:
            found = settled_files(works, _settings(config), config.overwrite, only is not None)
        device = choose_device(config.device)
        tune_allocator()
        degrader = file_degrader(config.degradation, config.scale, device)
        if shard.count > 1:
            console.print(f"shard {shard} of the photos", markup=False)
        outcome, files = Outcome(), []
        shown: list[tuple[Tensor, ...]] = []
        with _settled(output, config, shard) if apart else nullcontext():
            for work in found:
                if work.skipped and config.cluster is None:
                    files.append(work.name)
                    continue
                tasks: list[Task] = []
                outcome += _carry_out(work, tasks, degrader, settings, config, shard, console)
                shown += _shown(tasks, SHOWN - len(shown), degrader.sensor)
    if files:
        console.print(left_as_they_are(files), markup=False)
    if outcome.tried or not files:
        _summary(outcome, output, apart, console)
    real = _real(config, degrader.sensor)
    if shown and real and shard.number == 1:
        picture = Path(output).expanduser() / "real_vs_fake.png"
        sharp, fake = ([pair[i] for pair in shown] for i in (0, 1))
        real_vs_fake(real, fake, sharp, degrader.module, picture)
        console.print(f"picture: {picture}", markup=False)
    return 1 if outcome.failed else 0


def _apart(config: DictConfig, output: str) -> bool:
    """Whether pairs become files of their own, in a folder or a store."""
    return not str(config.hr).lower().endswith(".tar") and container_kind(output) is None


@contextmanager
def _settled(output: str, config: DictConfig, shard: Shard) -> Iterator[None]:
    """Within, the output is one of these settings, and this process alone makes its part."""
    settings = _settings(config)
    out = place_of(output, "output")
    if isinstance(out, Store):
        with Lease(out, shard) as lease:
            settle_store(out, settings, config.overwrite, lease.alone)
            yield
        return

    def settle(alone: Callable[[], None]) -> None:
        settle_folder(out, settings, config.overwrite, alone)

    same_settings(out, settings, config.overwrite)
    with writing_together(out, shard, settle):
        yield


def _carry_out(
    work: Work,
    tasks: list[Task],
    degrader: FileDegrader,
    settings: PairSettings,
    config: DictConfig,
    shard: Shard,
    console: Console,
) -> Outcome:
    """Make the pairs that go to one place; ``tasks`` gets the first of them."""

    def todo() -> Iterator[Task]:
        drawn: set[str] = set()
        for task in work.todo:
            if task.input not in drawn and len(tasks) < SHOWN:
                tasks.append(task)
            drawn.add(task.input)
            yield task

    manifest = None if work.output is None else Manifest(work.output, shard)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        running = bar.add_task("degrading", total=None)

        def advance(photos: float, pixels: int) -> None:
            bar.update(running, advance=photos, total=work.found())

        def note(line: str) -> None:
            bar.console.print(f"[yellow]warning:[/] {escape(line)}", highlight=False)

        some = (todo(), settings, config.overwrite, advance, note, manifest)
        try:
            work.check()
            if config.cluster is None:
                return carry_out(degrader, *some, begin_pair)
            if not work.apart:
                raise UserError("`cluster` takes folders and stores: one process fills a file.")
            node = OmegaConf.create(plain_config(config)["degradation"])
            opened = functools.partial(file_degrader, node, config.scale, "cpu")
            cluster = Cluster(str(config.cluster), opened, config.workers, config.cores, begin_pair)
            return carry_out_on(cluster, work.check, *some)
        finally:
            work.stop()
            if manifest is not None:
                manifest.close()


def _summary(outcome: Outcome, output: str, apart: bool, console: Console) -> None:
    there = outcome.done + outcome.skipped
    where = output
    if apart and isinstance(out := place_of(output, "output"), Path):
        where = f"{out / 'hr'}, {out / 'lr'}"
    console.print(f"{there} of {there + outcome.failed} pairs: {where}", markup=False)


def _shown(tasks: list[Task], count: int, sensor: Sensor) -> list[tuple[Tensor, ...]]:
    """Some of the pairs, as they are to be shown."""
    scratch, found = Scratch(), []
    for task in tasks[:count]:
        pair = task.target
        if isinstance(pair, Pair) and isinstance(pair.lr, Path) and pair.exists():
            paths = pair.paths(scratch)
            found.append(
                tuple(_read(path, sensor, s) for path, s in ((paths.hr, "hr"), (paths.lr, "lr")))
            )
    return found


def _configured(overrides: list[str]) -> DictConfig:
    """The configuration, with the scale of the run and the run of the degradation filled in."""
    config = checked("degrade", overrides)
    if config.run is None:
        return config
    folder = Path(str(config.run)).expanduser()
    more = [f"degradation.run={folder}"]
    if config.scale is None:
        more += [f"scale={config_of(folder, trusts(config)).scale}"]
    if not any(override_key(o) == "degradation.tile" for o in overrides):
        more += [f"degradation.tile={config.tile}"]
    return configure("degrade", [*overrides, *more])


def _pair_settings(config: DictConfig) -> PairSettings:
    """How pairs are written."""
    named: dict[str, Any] = {key: config[key] for key in (*MEASURED, "limit")}
    for key in ("bands", "range"):
        named[key] = list(named[key]) if isinstance(named[key], ListConfig) else named[key]
    return PairSettings(Settings(**named, identity=config.identity == "keep"), config.quality)


def _settings(config: DictConfig) -> dict[str, Any]:
    keys = ("run", "scale", "draws", "seed", "format", "quality")
    settings = {key: config[key] for key in keys} | {"hr": name_of(str(config.hr))}
    plain: Any = plain_config(config)
    degradation = plain["degradation"]
    degradation.pop("trust", None)  # which changes nothing of the pairs
    taken = {key: plain[key] for key in MEASURED if plain[key] is not None}
    if config.identity != "remove":
        taken["identity"] = config.identity
    return settings | taken | {"degradation": degradation}


def _read(path: Path, sensor: Sensor, side: str = "lr", limit: float | None = None) -> Tensor:
    """A picture to be shown, (1, 3, h, w): files of its type in the sensor's range."""
    if sensor.plain:
        return as_rgb(floats_of(read_image(path, limit)))
    pixels = read_samples(path, limit)
    span = own_range(sensor, pixels.dtype, side) or span_of(pixels.dtype)
    try:
        made = made_into(unit_of(pixels, span), sensor.channels, np.dtype(np.float32))
    except ValueError as error:
        raise unreadable(path, str(error)) from error
    return as_rgb(floats_of(made), sensor.bands)


def _real(config: DictConfig, sensor: Sensor) -> list[Tensor]:
    """Some real LR photos, (1, 3, h, w) each, if it is known where any are."""
    folder = config.real
    if folder is None and config.run is not None:
        folder = data_of(Path(str(config.run)).expanduser(), trusts(config)).lr
    if folder is None or (config.real is None and not Path(folder).expanduser().exists()):
        return []
    found = []
    for path in list_images(Path(folder).expanduser(), "real"):
        try:
            found.append(_read(path, sensor, limit=config.limit))
        except UnreadableImage:
            continue
        if len(found) == SHOWN:
            break
    return found
