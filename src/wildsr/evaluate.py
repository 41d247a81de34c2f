"""The verb ``evaluate``: a run, published weights and interpolation, in one table."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from torch import nn

from wildsr import build, checkpoint, run, run_card
from wildsr.checkpoint import fill
from wildsr.command import configure
from wildsr.data.image import list_images, read_image
from wildsr.data.module import Folders, ValidationPhotos, pair
from wildsr.error import UserError, unknown
from wildsr.evaluation import Upscale, interpolation, tiled
from wildsr.evaluation import evaluate as measure
from wildsr.inference.restore import Restorer
from wildsr.inference.tile import KINDS
from wildsr.inference.weights import load_upscaler
from wildsr.metric.table import Panel, markdown, write_results
from wildsr.train import BASELINE
from wildsr.watch import readable


def evaluate(overrides: list[str], console: Console) -> int:
    """Measure and report; the exit code."""
    config = configure("evaluate", overrides)
    if not (isinstance(config.tile, int) and config.tile >= 8):
        raise UserError(f"`tile` must be an integer of at least 8, but got {config.tile!r}.")
    if config.upscaler not in KINDS:
        raise unknown("`upscaler`", config.upscaler, KINDS)
    if not isinstance(config.card, bool):
        raise UserError(f"`card` must be true or false, but got {config.card!r}.")
    if config.card and config.run is None:
        raise UserError("`card=true` needs `run`: the card is of a run's degradation.")
    build.tune_allocator()
    networks: dict[str, nn.Module] = {}
    scales: dict[str, int] = {}
    if config.run is not None:
        folder = Path(str(config.run)).expanduser()
        name, networks_scale = _method_name(folder), run.config_of(folder).scale
        if (folder / BASELINE).is_dir():
            networks[BASELINE] = restorer_of(folder / BASELINE)
        networks[name], scales[f"run={folder}"] = restorer_of(folder), networks_scale
    if config.weights is not None:
        path = Path(str(config.weights)).expanduser()
        networks[path.stem], scales[f"weights={path}"] = load_upscaler(path)
    photos, scale = _photos(config, scales)
    readable(photos, console)
    config = configure("evaluate", [*overrides, f"scale={scale}"])  # what depends on it follows
    panel: Panel = build.make(config.metric, "metric")

    upscalers: dict[str, Upscale] = {config.upscaler: interpolation(config.upscaler, scale)}
    upscalers |= {name: tiled(network, scale, config.tile) for name, network in networks.items()}
    output = _output(config)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("evaluating", total=len(photos) * len(upscalers))
        rows = measure(upscalers, photos, panel, output / "results", lambda note: bar.advance(task))
    protocol = {**panel.protocol(), "scale": scale, "photos": len(photos)}
    write_results(output, rows, protocol)
    console.print(escape(markdown(rows)))
    if not len(photos) or photos.photos[0][1] is None:
        console.print("No ground truth was given (data.hr): look at the pictures.")
    if config.card:
        run_card.report(Path(str(config.run)).expanduser(), output, console)
    console.print(f"{output / 'results.json'}; pictures: {output / 'results'}")
    return 0


def restorer_of(folder: Path) -> Restorer:
    """The averaged networks of the newest checkpoint of a run.

    Raises:
        UserError: if the folder is no run, or has no checkpoint of its architecture.
    """
    config = run.config_of(folder)
    state = checkpoint.newest(folder)
    made = build.networks(config)
    for name, weights in state["ema"].items():
        if name not in made:
            raise UserError(
                f"The checkpoint in {folder} has a network `{name}`, its config has none."
            )
        fill(made[name], weights, f"The checkpoint's average of `{name}`")
    averaged = {name: made[name] for name in state["ema"]}
    return Restorer(build.method_class(config), averaged, config.scale).eval()


def _method_name(folder: Path) -> str:
    return str(run.config_of(folder).method._target_).rsplit(".", 2)[-2]


def _photos(config: DictConfig, scales: dict[str, int]) -> tuple[ValidationPhotos, int]:
    """What to measure on, and the factor."""
    if config.data.lr is None:
        if config.data.hr is not None:
            raise UserError("`data.hr` is the truth of `data.lr`, which was not given.")
        if config.run is None:
            raise UserError(
                "`data.lr` must be given: a folder of LR photos (or `run`, for its own)."
            )
        data: Folders = build.make(run.config_of(Path(str(config.run)).expanduser()).data, "data")
        data.prepare_data()
        data.setup()
        return data.photos, _one_scale(config, scales, None)
    lr = list_images(Path(str(config.data.lr)).expanduser(), "data.lr")
    if config.data.hr is None:
        scale = _one_scale(config, scales, None)
        return ValidationPhotos([(p, None) for p in lr], scale, ("data.lr", "data.hr")), scale
    hr = list_images(Path(str(config.data.hr)).expanduser(), "data.hr")
    pairs = pair(lr, hr, "data.lr", "data.hr")
    scale = _one_scale(config, scales, pairs[0])
    return ValidationPhotos([*pairs], scale, ("data.lr", "data.hr")), scale


def _one_scale(config: DictConfig, scales: dict[str, int], first: tuple[Path, Path] | None) -> int:
    if config.scale is not None:
        scales = {"scale": config.scale, **scales}
    if not scales and first is not None:
        small, large = (read_image(path).shape for path in first)
        scales = {"the photos": round(large[0] / small[0])}
    if not scales:
        raise UserError("`scale` must be given: HR size / LR size.")
    if len(set(scales.values())) > 1:
        said = ", ".join(f"{what} has {value}" for what, value in scales.items())
        raise UserError(f"All upscalers must have one scale, but {said}.")
    scale = next(iter(scales.values()))
    if scale not in build.SCALES:
        raise UserError(f"`scale` must be one of {list(build.SCALES)}, but got {scale!r}.")
    return int(scale)


def _output(config: DictConfig) -> Path:
    """A new folder, or the one that was named."""
    if config.output is not None:
        return Path(str(config.output)).expanduser()
    parent = Path(str(config.run)).expanduser() if config.run is not None else Path()
    number = 1
    while (folder := parent / f"evaluation-{number}").exists():
        number += 1
    return folder
