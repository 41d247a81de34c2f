"""Measure upscalers and write the table, pictures and page: the work of ``wildsr evaluate``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from wildsr.api.elsewhere import Output, mirrored, photos_here
from wildsr.api.on_cluster import measure_on_cluster
from wildsr.api.plan import Plan, plan_of
from wildsr.api.shards import alone_in, check_new, chosen_shard, measured_by_all
from wildsr.archive.shard import Shard
from wildsr.atomic import check_output
from wildsr.config.check import checked
from wildsr.config.paths import paths_by_name
from wildsr.config.trust import trusts
from wildsr.data.validation import ValidationPhotos
from wildsr.error import UserError
from wildsr.evaluation.evaluate import upscaling_protocol
from wildsr.evaluation.outcome import Measured
from wildsr.evaluation.parts import FOLDER as PARTS
from wildsr.evaluation.rows import Row
from wildsr.evaluation.sets import OfSets, of_sets, some_of
from wildsr.evaluation.summary import Summary, summarise
from wildsr.evaluation.tiled_panel import STATED
from wildsr.inference.device import choose_device
from wildsr.metric.kind import Pair
from wildsr.metric.panel import Panel
from wildsr.photo.image import list_images
from wildsr.report import choice as checkpoint_choice
from wildsr.report import results
from wildsr.report.card.of_run import report
from wildsr.report.page.page import Page, write_page
from wildsr.run.folder import plain_config
from wildsr.run.photos import opened_data
from wildsr.training.logger import loggers


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
    typed = checked("evaluate", overrides)
    shard = chosen_shard(typed)
    with mirrored() as mirror:
        here = photos_here(typed, mirror)
        output = None
        if typed.output is not None:
            output = Output(str(typed.output), shard, typed.overwrite)
            if output.here and (shard.count == 1 or not (output.folder / PARTS).is_dir()):
                check_new(output.folder, typed.overwrite)
        plan = plan_of(overrides, typed, here, mirror)
        folder = _new_folder(plan.config) if output is None else output.folder
        with nullcontext() if output is None else output.alone():
            summary = _measured(plan, folder, output, typed, overrides, shard, console)
            if output is not None and not output.here:
                output.push()
                console.print(f"all of it: {typed.output}", markup=False)
    return folder, summary


def _measured(
    plan: Plan,
    folder: Path,
    output: Output | None,
    typed: DictConfig,
    overrides: list[str],
    shard: Shard,
    console: Console,
) -> Summary | None:
    """Measure this process's part, and report all if it is the last."""
    check_output(folder)
    config, images = plan.config, plan.images
    sharp = _sharp(config, bool(plan.ranked))
    own = sum(image in shard for _, image in images)
    if shard.count > 1:
        console.print(f"shard {shard} of the photos: {own} of {len(images)}", markup=False)

    def part() -> list[Measured]:
        if config.cluster is not None:
            return measure_on_cluster(config, overrides, folder, shard, own)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("evaluating", total=own * len(plan.rows))

            def advance(note: str) -> None:
                bar.update(task, advance=1, description=escape(note[-40:]))

            return plan.measure(folder, shard.__contains__, advance)

    def exchange() -> None:
        if output is not None and not output.here:
            output.push()
            output.pull()

    order = [(row, *image) for row in plan.rows for image in images]
    if output is not None and shard.count > 1 and not config.overwrite:
        output.pull()
    with (
        alone_in(folder, shard, typed),
        measured_by_all(folder, shard, config.overwrite, part, order, exchange) as measured,
    ):
        if measured is None:
            console.print("The table is written by the shard that is the last.", markup=False)
            return None
        found = of_sets(measured, list(plan.rows), plan.sets, plan.panel, sharp, plan.device)
        return _report(
            measured,
            found,
            overrides,
            config,
            console,
            folder,
            plan.rows,
            plan.sets,
            plan.scale,
            plan.panel,
        )


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
        without = not any(isinstance(part, Pair) for part in panel.parts.values())
        remedy = "" if without else "; `metric=no_reference` measures what needs none"
        line = f"No ground truth was given (data.hr): look at the pictures{remedy}."
        console.print(line, markup=False)
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


def _sharp(config: DictConfig, ranked: bool) -> list[Path]:
    """The photos that sets are compared with; none for the truths."""
    if config.sharp is not None:
        return list_images(Path(str(config.sharp)).expanduser(), "sharp")
    if not ranked:
        return []
    run = next(iter(paths_by_name(config.run, "run").values()))
    found = list_images(opened_data(run, trusts(config)).hr, "data.hr")
    return list(some_of(found))


def _say(summary: Summary, console: Console) -> None:
    console.print(results.markdown(summary), markup=False)
    failed = [outcome for outcome in summary.outcomes if outcome.error is not None]
    for outcome in failed[:5]:
        text = f"{outcome.row}, {outcome.photo_set}/{outcome.image}: {outcome.error}"
        console.print(f"[yellow]failed:[/] {escape(text)}")
    if len(failed) > 5:
        console.print(f"[yellow]failed:[/] {len(failed) - 5} more; see per_image.csv")


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
