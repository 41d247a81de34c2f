"""Measure upscalers and write the table, pictures and page: the work of ``wildsr evaluate``."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from wildsr.api.shards import alone_in, check_new, chosen_shard, measured_by_all
from wildsr.archive.shard import Shard
from wildsr.atomic import check_output
from wildsr.config.allocator import tune_allocator
from wildsr.config.check import checked
from wildsr.config.compose import configure
from wildsr.config.make import make
from wildsr.config.paths import paths_by_name
from wildsr.config.trust import trusts
from wildsr.data.validation import ValidationPhotos
from wildsr.error import UserError
from wildsr.evaluation.evaluate import Measured, OfSets, measure, of_sets, upscaling_protocol
from wildsr.evaluation.parts import FOLDER as PARTS
from wildsr.evaluation.photo_sets import photo_sets
from wildsr.evaluation.rows import Row, one_sensor, table_rows
from wildsr.evaluation.summary import Summary, summarise
from wildsr.evaluation.tiled_panel import STATED
from wildsr.inference.device import choose_device, measuring_device
from wildsr.metric.panel import Panel
from wildsr.photo.image import UnreadableImage, list_images
from wildsr.report import choice as checkpoint_choice
from wildsr.report import results
from wildsr.report.card.of_run import report
from wildsr.report.page.page import Page, write_page
from wildsr.run.folder import config_of, plain_config
from wildsr.run.load import load_degrader
from wildsr.run.photos import opened_data
from wildsr.training.logger import loggers

SHARP = 64  # at most this many photos of a run's HR folder serve as the sharp set


def measure_and_report(overrides: list[str], console: Console) -> tuple[Path, Summary | None]:
    """Run an evaluation: measure, print the table, write its files.

    Args:
        overrides: ``key=value`` settings of ``conf/evaluate.yaml``.
        console: where the table is printed.

    Returns:
        The folder that was written, and the table; None for the table if other processes still have
        to measure their shard.

    Raises:
        UserError: an invalid setting, or photos that cannot be read.
    """
    config = checked("evaluate", overrides)
    shard = chosen_shard(config)
    output = _output(config, shard)
    device = choose_device(config.device)
    tune_allocator()
    rows = table_rows(config, device)
    scales = {c.source: c.scale for c in rows.values() if c.scale is not None}
    sensor = one_sensor(rows)
    sets, scale = photo_sets(config, scales, paths_by_name(config.run, "run"), sensor)
    _first_readable(sets)
    output = output or _new_folder(config)
    check_output(output)
    config = configure("evaluate", [*overrides, f"scale={scale}"])  # what depends on it follows
    ranked = {name: c.iteration for name, c in rows.items() if c.iteration is not None}
    panel = _panel(config, bool(ranked), device).take(sensor)
    sharp = _sharp(config, bool(ranked))
    upscalers = {name: lambda c=c: c.open(scale) for name, c in rows.items()}
    images = [(name, image) for name, found in sets.items() for image in found.names]
    own = sum(image in shard for _, image in images)
    if shard.count > 1:
        console.print(f"shard {shard} of the photos: {own} of {len(images)}", markup=False)

    def part() -> list[Measured]:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("evaluating", total=own * len(rows))

            def advance(note: str) -> None:
                bar.update(task, advance=1, description=escape(note[-40:]))

            folder = output / "results"
            return measure(upscalers, sets, panel, folder, advance, device, shard.__contains__)

    order = [(row, *image) for row in rows for image in images]
    with (
        alone_in(output, shard, config),
        measured_by_all(output, shard, config.overwrite, part, order) as measured,
    ):
        if measured is None:
            console.print("The table is written by the shard that is the last.", markup=False)
            return output, None
        found = of_sets(measured, list(rows), sets, panel, sharp, device)
        summary = _report(
            measured, found, overrides, config, console, output, rows, sets, scale, panel
        )
    return output, summary


def _report(
    measured: list[Measured],
    found: OfSets,
    overrides: list[str],
    config: DictConfig,
    console: Console,
    output: Path,
    rows: Mapping[str, Row],
    sets: Mapping[str, ValidationPhotos],
    scale: int,
    panel: Panel,
) -> Summary:
    """Write and say what was measured."""
    device = choose_device(config.device)
    photos = sum(map(len, sets.values()))
    ranked = {name: c.iteration for name, c in rows.items() if c.iteration is not None}
    protocol = {**panel.protocol(), "scale": scale, "photos": photos, "large images": STATED}
    sensor = panel.sensor
    protocol |= upscaling_protocol(config.tile, device, str(config.precision), sensor)
    summary = summarise([o.outcome for o in measured], protocol, config.seed, found, panel.parts)
    _say(summary, console)  # first: the disk may be full by now
    results.write(output, summary)
    if all(found.photos[0][1] is None for found in sets.values()):
        console.print("No ground truth was given (data.hr): look at the pictures.")
    choice = None
    if ranked:
        ranking = checkpoint_choice.rank(summary, ranked, config.panel)
        console.print(f"\n{checkpoint_choice.markdown(summary, ranking)}\n", markup=False)
        choice = checkpoint_choice.write(output, summary, ranking, sets)
    if config.card:
        for folder in paths_by_name(config.run, "run").values():
            report(folder, output, console, device, trusts(config))
    console.print(f"{output / 'results.json'}; pictures: {output / 'results'}", markup=False)
    _log(config, output, summary, console)
    if config.page_mb:
        texts = {"command": shlex.join(["python", "evaluate.py", *overrides])}
        texts["configuration"] = OmegaConf.to_yaml(config, resolve=True)
        runs = paths_by_name(config.run, "run")
        texts |= {
            f"configuration of {n}": (path / "config.yaml").read_text("utf-8", "replace")
            for n, path in runs.items()
        }
        title = f"Evaluation: {', '.join(list(rows)[:4])}{', ...' if len(rows) > 4 else ''}"
        page = Page(title, scale, config.page_mb * 10**6, runs, texts, choice)
        console.print(f"page: {write_page(output, summary, sets, page)}", markup=False)
    return summary


def _log(config: DictConfig, output: Path, summary: Summary, console: Console) -> None:
    """Both tables to W&B or TensorBoard, where ``logger`` names one."""
    if config.logger.kind in ("none", "csv"):
        return
    plain = plain_config(config)
    logs = loggers(config.logger, output, plain, 0, lambda text: console.print(text, markup=False))
    for log in logs:
        log.table("results", results.flat(summary), 0)
        log.table("per image", results.per_image(summary), 0)
        log.finish()


def _panel(config: DictConfig, ranked: bool, device: torch.device) -> Panel:
    """The metrics that were asked for, and those by which checkpoints are ranked."""
    runs = list(paths_by_name(config.run, "run").values())
    if ranked:
        asked = list(config.metric.metrics)
        config.metric.metrics = [*asked, *(m for m in config.panel if m not in asked)]
    degrader = None
    if runs and {"lr_consistency_learned", "lr_discrepancy"} & set(config.metric.metrics):
        with contextlib.suppress(UserError):  # the metric then says what it needs
            trust = trusts(config)
            side = config.tile * config_of(runs[0], trust).scale
            degrader = load_degrader(runs[0], side, trust).to(measuring_device(device))
    panel: Panel = make(config.metric, "metric", Panel, degrader=degrader)
    return panel


def _sharp(config: DictConfig, ranked: bool) -> list[Path]:
    """The photos that sets are compared with; none for the truths."""
    if config.sharp is not None:
        return list_images(Path(str(config.sharp)).expanduser(), "sharp")
    if not ranked:
        return []
    run = next(iter(paths_by_name(config.run, "run").values()))
    found = list_images(opened_data(run, trusts(config)).hr, "data.hr")
    return found[:: -(-len(found) // SHARP)]


def _first_readable(sets: Mapping[str, ValidationPhotos]) -> None:
    """Refuse what cannot be measured at all, before anything is written.

    Raises:
        UserError: no photo of a set can be read, or none fits its truth.
    """
    for photos in sets.values():
        errors: list[UserError] = []
        for index in range(len(photos)):
            try:
                photos[index]
                break
            except UnreadableImage as error:
                errors.append(error)
            except UserError as error:  # a pair that does not fit says more than a damaged file
                errors.insert(0, error)
        else:
            raise errors[0] if errors else UserError("There are no photos to evaluate on.")


def _say(summary: Summary, console: Console) -> None:
    console.print(results.markdown(summary), markup=False)
    failed = [outcome for outcome in summary.outcomes if outcome.error is not None]
    for outcome in failed[:5]:
        text = f"{outcome.row}, {outcome.photo_set}/{outcome.image}: {outcome.error}"
        console.print(f"[yellow]failed:[/] {escape(text)}")
    if len(failed) > 5:
        console.print(f"[yellow]failed:[/] {len(failed) - 5} more; see per_image.csv")


def _output(config: DictConfig, shard: Shard) -> Path | None:
    """The folder that was named, if one was."""
    if config.output is None:
        return None
    folder = Path(str(config.output)).expanduser()
    if shard.count == 1 or not (folder / PARTS).is_dir():
        check_new(folder, config.overwrite)
    return folder


def _new_folder(config: DictConfig) -> Path:
    """A new folder, which no other process of this moment gets.

    Raises:
        UserError: it cannot be made.
    """
    runs = list(paths_by_name(config.run, "run").values())
    parent = runs[0] if len(runs) == 1 else Path()
    number = 1
    while True:
        folder = parent / f"evaluation-{number}"
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
        except OSError as error:
            raise UserError(
                f"{folder} cannot be made ({error.strerror}); name another folder by `output`."
            ) from error
