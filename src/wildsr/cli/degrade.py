"""The verb ``degrade``: write (HR, LR) pairs made by a learned or known degradation."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from torch import Tensor, nn

from wildsr.archive.manifest import Entry, Manifest, digest
from wildsr.archive.manifest import failed as retried
from wildsr.archive.shard import Shard, shard_of
from wildsr.atomic import refusal, writing
from wildsr.cli.degrade_folder import number_of_pairs, same_settings, settle_folder
from wildsr.config.allocator import tune_allocator
from wildsr.config.check import checked
from wildsr.config.compose import configure
from wildsr.config.make import make, sensor_of
from wildsr.config.trust import trusts
from wildsr.data.store import read_kind
from wildsr.error import UserError, first_line
from wildsr.inference.device import choose_device
from wildsr.photo.folder import without_results
from wildsr.photo.image import UnreadableImage, list_images, read_image, relative_names
from wildsr.photo.samples import Samples, write_samples
from wildsr.photo.sensor import RGB, Sensor, values_of
from wildsr.pixels import array_of, as_rgb, floats_of
from wildsr.report.degradation.real_vs_fake import real_vs_fake
from wildsr.run.folder import config_of, plain_config
from wildsr.run.photos import data_of
from wildsr.run.saved import override_key
from wildsr.run.together import writing_together
from wildsr.seed import mix_seeds

SHOWN = 4  # pairs in the figure
SUFFIXES = {"png": ".png", "jpeg": ".jpg"}


def degrade(overrides: list[str], console: Console) -> int:
    """Write the pairs and a figure; returns 1 if a photo could not be read, else 0.

    Raises:
        UserError: an invalid configuration, an unusable output folder, a full disk.
    """
    config = _configured(overrides)
    if config.real is not None:
        list_images(Path(config.real).expanduser(), "real")
    out, shard = Path(config.output).expanduser(), shard_of(config.shard)
    jobs = _chosen(config, out, shard)
    device = choose_device(config.device)
    tune_allocator()
    degrader: nn.Module = make(config.degradation, "degradation", nn.Module).eval().to(device)
    settings = _settings(config)
    if shard.count > 1:
        console.print(f"shard {shard} of the photos", markup=False)

    def settle(alone: Callable[[], None]) -> None:
        settle_folder(out, settings, config.overwrite, alone)

    same_settings(out, settings, config.overwrite)
    with writing_together(out, shard, settle):
        failed, shown = _make(jobs, out, shard, degrader, config, device, console)
    for sentence in failed:
        console.print(f"[yellow]warning:[/] {escape(sentence)}", highlight=False)
    done = f"{len(jobs) - len(failed)} of {len(jobs)}"
    console.print(f"{done} pairs: {out / 'hr'}, {out / 'lr'}", markup=False)
    real = _real(config)
    if shown and real and shard.number == 1:
        picture = out / "real_vs_fake.png"
        sharp, fake = ([pair[i] for pair in shown] for i in (0, 1))
        real_vs_fake(real, fake, sharp, degrader, picture)
        console.print(f"picture: {picture}", markup=False)
    return 1 if failed else 0


def _chosen(config: DictConfig, out: Path, shard: Shard) -> list[_Job]:
    """What is to be made of the photos of this shard."""
    root = Path(config.hr).expanduser()
    photos = without_results(list_images(root, "hr"), out, "hr")
    only = None if config.retry is None else retried(out)
    folder = root.parent if root.is_file() else root
    found = []
    for job in _jobs(photos, config.draws):
        own = job.path.relative_to(folder).as_posix()
        if own in shard and (only is None or own in only):
            found.append(replace(job, input=own))
    return found


def _make(
    jobs: list[_Job],
    out: Path,
    shard: Shard,
    degrader: nn.Module,
    config: DictConfig,
    device: torch.device,
    console: Console,
) -> tuple[list[str], list[tuple[Tensor, ...]]]:
    """Write the pairs that are not there; what failed, and some of the pairs."""
    failed: list[str] = []
    shown: list[tuple[Tensor, ...]] = []
    manifest = Manifest(out, shard)
    with (
        closing(manifest),
        Progress(console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("degrading", total=len(jobs))
        for job in jobs:
            bar.advance(task)
            targets = _targets(out, job.name, config.format, _sensor(config))
            output, begun = targets[1].relative_to(out).as_posix(), time.perf_counter()
            if not config.overwrite and all(target.exists() for target in targets):
                manifest.found(job.input, output)
            else:
                try:
                    _write(_pair(job, degrader, config, device), targets, config)
                    seconds, noted = time.perf_counter() - begun, digest(targets[1])
                    manifest.add(Entry(job.input, output, noted, seconds))
                except Exception as error:  # any error concerns this photo only
                    if (reason := refusal(out)) is not None:
                        whole = number_of_pairs(out)
                        raise UserError(
                            f"Nothing more can be written into {out}: {reason}. The {whole} pairs "
                            "that are there are whole, and the same command makes the others."
                        ) from error
                    failed.append(f"{job.path}: {first_line(error)}")
                    manifest.add(Entry(job.input, output, error=first_line(error)))
                    continue
            if job.number == 0 and len(shown) < SHOWN:
                shown.append(tuple(_read(target, _sensor(config)) for target in targets))
    return failed, shown


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


def _settings(config: DictConfig) -> dict[str, Any]:
    keys = ("run", "scale", "draws", "seed", "format", "quality")
    settings = {key: config[key] for key in keys} | {"hr": str(Path(config.hr).resolve())}
    degradation: Any = plain_config(config)["degradation"]
    degradation.pop("trust", None)  # which changes nothing of the pairs
    return settings | {"degradation": degradation}


@dataclass(frozen=True)
class _Job:
    """A photo, the name of its pair, and the number of the draw; ``input`` is its path below hr."""

    path: Path
    name: str
    number: int
    input: str = ""


def _jobs(photos: list[Path], draws: int) -> Iterator[_Job]:
    """What is to be made of all photos; names are settled among all."""
    names = [os.path.splitext(name)[0].replace("/", "_") for name in relative_names(photos)]
    taken: set[str] = set()
    for path, plain in zip(photos, names, strict=True):
        name, count = plain, 2
        while name.lower() in taken:  # a.png and a.jpg
            name, count = f"{plain}-{count}", count + 1
        taken.add(name.lower())
        for number in range(draws):
            yield _Job(path, name if draws == 1 else f"{name}_{number + 1}", number)


def _sensor(config: DictConfig) -> Sensor:
    """The kind of photos that a run has learned from; 8-bit RGB without a run."""
    return RGB if config.run is None else _sensor_of_run(str(config.run), trusts(config))


@functools.lru_cache
def _sensor_of_run(run: str, trust: bool) -> Sensor:
    return sensor_of(config_of(Path(run).expanduser(), trust))


def _targets(out: Path, name: str, kind: str, sensor: Sensor) -> tuple[Path, Path]:
    if not sensor.plain:  # a TIFF can hold any type
        return out / "hr" / f"{name}.tif", out / "lr" / f"{name}.tif"
    return out / "hr" / f"{name}.png", out / "lr" / f"{name}{SUFFIXES[kind]}"


def _pair(
    job: _Job, degrader: nn.Module, config: DictConfig, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The sharp photo, cut to whole LR pixels, and its LR: (1, 3, sh, sw) and (1, 3, h, w)."""
    path, name, number = job.path, job.name, job.number
    sensor, scale = _sensor(config), config.scale
    photo = _pixels(path, sensor, "hr", config.limit)
    height, width = (side // scale * scale for side in photo.shape[:2])
    if min(height, width) < 2 * scale:
        raise UnreadableImage(
            f"Image {path} has {photo.shape[1]}x{photo.shape[0]} pixels: too small for x{scale}."
        )
    hr = floats_of(photo[:height, :width])
    # Seeded by the name, not by the position in the list, so that other photos have no influence.
    digest = hashlib.blake2b(os.fsencode(f"{name}/{number}"), digest_size=7).digest()
    torch.manual_seed(mix_seeds(config.seed, int.from_bytes(digest), number))
    return hr, degrader(hr.to(device))


def _write(pair: tuple[Tensor, Tensor], targets: tuple[Path, Path], config: DictConfig) -> None:
    """Write both; each appears under its name when it is complete, the LR last."""
    sensor = _sensor(config)
    for image, target, side in zip(pair, targets, ("hr", "lr"), strict=True):
        if not sensor.plain:
            unit = image[0].detach().cpu().permute(1, 2, 0).numpy()
            write_samples(target, values_of(unit, sensor.span(side), sensor.dtype))
            continue
        photo = Image.fromarray(array_of(image))
        quality = config.quality if target is targets[1] else None
        if quality is not None and config.format == "png":
            coded = io.BytesIO()
            photo.save(coded, "JPEG", quality=quality)
            photo = Image.open(coded)
        options = {"quality": quality or 95} if target.suffix == ".jpg" else {}
        with writing(target) as partial:
            photo.save(partial, "JPEG" if target.suffix == ".jpg" else "PNG", **options)


def _pixels(path: Path, sensor: Sensor, side: str, limit: float | None) -> Samples:
    if sensor.plain:
        return read_image(path, limit)
    return sensor.seen(read_kind(path, limit, sensor), side)


def _read(path: Path, sensor: Sensor, limit: float | None = None) -> Tensor:
    """A picture to be shown, (1, 3, h, w)."""
    return as_rgb(floats_of(_pixels(path, sensor, "lr", limit)), sensor.bands)


def _real(config: DictConfig) -> list[Tensor]:
    """Some real LR photos, (1, 3, h, w) each, if it is known where any are."""
    folder = config.real
    if folder is None and config.run is not None:
        folder = data_of(Path(str(config.run)).expanduser(), trusts(config)).lr
    if folder is None or (config.real is None and not Path(folder).expanduser().exists()):
        return []
    found = []
    for path in list_images(Path(folder).expanduser(), "real"):
        try:
            found.append(_read(path, _sensor(config), config.limit))
        except UnreadableImage:
            continue
        if len(found) == SHOWN:
            break
    return found
