"""The verb ``degrade``: write (HR, LR) pairs of a learned or known degradation."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from torch import Tensor, nn

from wildsr.atomic import check_output, refusal, write_text, writing
from wildsr.config.allocator import tune_allocator
from wildsr.config.check import checked
from wildsr.config.compose import configure
from wildsr.config.make import make
from wildsr.config.plain import read_json
from wildsr.config.trust import trusts
from wildsr.error import UserError, first_line
from wildsr.inference.device import choose_device
from wildsr.photo.folder import without_results
from wildsr.photo.image import UnreadableImage, list_images, read_image, relative_names
from wildsr.pixels import array_of, floats_of
from wildsr.report.degradation.real_vs_fake import real_vs_fake
from wildsr.run.folder import config_of, plain_config
from wildsr.run.photos import data_of
from wildsr.run.saved import override_key
from wildsr.seed import mix_seeds

SETTINGS = "degrade.json"  # in the folder of the pairs: what they were made with
SHOWN = 4  # pairs that the picture shows
SUFFIXES = {"png": ".png", "jpeg": ".jpg"}


def degrade(overrides: list[str], console: Console) -> int:
    """Write the pairs and a picture; returns 1 if a photo could not be read, else 0."""
    config = _configured(overrides)
    if config.real is not None:
        list_images(Path(config.real).expanduser(), "real")
    out = Path(config.output).expanduser()
    photos = without_results(list_images(Path(config.hr).expanduser(), "hr"), out, "hr")
    device = choose_device(config.device)
    tune_allocator()
    degrader: nn.Module = make(config.degradation, "degradation", nn.Module).eval().to(device)
    _settle(out, _settings(config), config.overwrite)

    failed: list[str] = []
    shown: list[tuple[Tensor, ...]] = []
    jobs = list(_jobs(photos, config.draws))
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("degrading", total=len(jobs))
        for path, name, number in jobs:
            bar.advance(task)
            targets = _targets(out, name, config.format)
            if config.overwrite or not all(target.exists() for target in targets):
                try:
                    _write(_pair(path, degrader, config, name, number, device), targets, config)
                except Exception as error:  # whatever a photo raises costs that photo only
                    if (reason := refusal(out)) is not None:
                        whole = number_of_pairs(out)
                        raise UserError(
                            f"Nothing more can be written into {out}: {reason}. The {whole} pairs "
                            "that are there are whole, and the same command makes the others."
                        ) from error
                    failed.append(f"{path}: {first_line(error)}")
                    continue
            if number == 0 and len(shown) < SHOWN:
                shown.append(tuple(_read(target) for target in targets))
    for sentence in failed:
        console.print(f"[yellow]warning:[/] {escape(sentence)}", highlight=False)
    done = f"{len(jobs) - len(failed)} of {len(jobs)}"
    console.print(f"{done} pairs: {out / 'hr'}, {out / 'lr'}", markup=False)
    real = _real(config)
    if shown and real:
        picture = out / "real_vs_fake.png"
        sharp, fake = ([pair[i] for pair in shown] for i in (0, 1))
        real_vs_fake(real, fake, sharp, degrader, picture)
        console.print(f"picture: {picture}", markup=False)
    return 1 if failed else 0


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


def _settle(out: Path, settings: dict[str, Any], overwrite: bool = False) -> None:
    """Make the folder of the pairs, or see that it is one of the same settings.

    Raises:
        UserError: if it holds other things, and may not be used all the same.
    """
    path = out / SETTINGS
    if path.exists():
        try:
            earlier = read_json(path)
        except UserError:
            earlier = None
        earlier = earlier if isinstance(earlier, dict) else {}
        if earlier != settings and not overwrite:
            changed = [key for key in settings if earlier.get(key) != settings[key]]
            raise UserError(
                f"Argument `output` must be a new folder or one of the same settings, but {out} "
                f"was made with another {' and '.join(changed)}; overwrite=true makes its pairs "
                "anew."
            )
    elif out.exists() and (not out.is_dir() or not _empty(out)) and not overwrite:
        raise UserError(
            f"Argument `output` must be a new folder, but {out} holds other files; overwrite=true "
            "writes beside them."
        )
    check_output(out)
    for side in ("hr", "lr"):
        (out / side).mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(settings, indent=1))


def _empty(out: Path) -> bool:
    """Whether a folder holds nothing, but for what a start that was cut off has made."""
    made = {out / "hr", out / "lr"}
    inside = [path for path in out.iterdir() if path.suffix != ".part"]
    return set(inside) <= made and not any(any(folder.iterdir()) for folder in inside)


def _jobs(photos: list[Path], draws: int) -> Iterator[tuple[Path, str, int]]:
    """Each photo, the name of its pair, and the number of the draw."""
    names = [str(Path(name).with_suffix("")).replace("/", "_") for name in relative_names(photos)]
    taken: set[str] = set()
    for path, plain in zip(photos, names, strict=True):
        name, count = plain, 2
        while name.lower() in taken:  # a.png and a.jpg
            name, count = f"{plain}-{count}", count + 1
        taken.add(name.lower())
        for number in range(draws):
            yield path, name if draws == 1 else f"{name}_{number + 1}", number


def _targets(out: Path, name: str, kind: str) -> tuple[Path, Path]:
    return out / "hr" / f"{name}.png", out / "lr" / f"{name}{SUFFIXES[kind]}"


def number_of_pairs(out: Path) -> int:
    """How many pairs a folder holds."""
    hr = {path.stem for path in (out / "hr").glob("*.png")}
    return sum(path.stem in hr for path in (out / "lr").iterdir() if path.suffix != ".part")


def _pair(
    path: Path,
    degrader: nn.Module,
    config: DictConfig,
    name: str,
    number: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """The sharp photo, cut to whole LR pixels, and its LR: (1, 3, sh, sw) and (1, 3, h, w)."""
    photo, scale = read_image(path, config.limit), config.scale
    height, width = (side // scale * scale for side in photo.shape[:2])
    if min(height, width) < 2 * scale:
        raise UnreadableImage(
            f"Image {path} has {photo.shape[1]}x{photo.shape[0]} pixels: too small for x{scale}."
        )
    hr = floats_of(photo[:height, :width])
    # By the name and not by the place in the list, so that it does not matter what else is there.
    digest = hashlib.blake2b(os.fsencode(f"{name}/{number}"), digest_size=7).digest()
    torch.manual_seed(mix_seeds(config.seed, int.from_bytes(digest), number))
    return hr, degrader(hr.to(device))


def _write(pair: tuple[Tensor, Tensor], targets: tuple[Path, Path], config: DictConfig) -> None:
    """Write both; each appears under its name when it is complete, the LR last."""
    for image, target in zip(pair, targets, strict=True):
        photo = Image.fromarray(array_of(image))
        quality = config.quality if target is targets[1] else None
        if quality is not None and config.format == "png":
            coded = io.BytesIO()
            photo.save(coded, "JPEG", quality=quality)
            photo = Image.open(coded)
        options = {"quality": quality or 95} if target.suffix == ".jpg" else {}
        with writing(target) as partial:
            photo.save(partial, "JPEG" if target.suffix == ".jpg" else "PNG", **options)


def _read(path: Path, limit: float | None = None) -> Tensor:
    return floats_of(read_image(path, limit))


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
            found.append(_read(path, config.limit))
        except UnreadableImage:
            continue
        if len(found) == SHOWN:
            break
    return found
