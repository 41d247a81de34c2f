"""The verb ``evaluate``: runs, weights, interpolation and finished results, in one table."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from wildsr import build, run_card
from wildsr.bounded import STATED
from wildsr.candidate import candidates
from wildsr.command import configure
from wildsr.data.image import UnreadableImage, list_images
from wildsr.data.module import ValidationPhotos
from wildsr.error import UserError
from wildsr.evaluation import evaluate as measure
from wildsr.metric.panel import Panel
from wildsr.named import named
from wildsr.photoset import photo_sets
from wildsr.report import results
from wildsr.report.page import Page, write_page
from wildsr.report.summary import Summary, summarise


def evaluate(overrides: list[str], console: Console) -> int:
    """Measure and report; the exit code."""
    config = configure("evaluate", overrides)
    for key, least in {"tile": 8, "seed": 0, "page_mb": 0}.items():
        if not (isinstance(config[key], int) and config[key] >= least):
            raise UserError(
                f"`{key}` must be an integer of at least {least}, but got {config[key]!r}."
            )
    if config.card and (config.run is None or len(named(config.run, "run")) > 1):
        raise UserError("`card=true` needs one `run`: the card is of a run's degradation.")
    build.tune_allocator()
    rows = candidates(config)
    scales = {c.source: c.scale for c in rows.values() if c.scale is not None}
    sets, scale = photo_sets(config, scales, named(config.run, "run"))
    _first_readable(sets)
    config = configure("evaluate", [*overrides, f"scale={scale}"])  # what depends on it follows
    panel: Panel = build.make(config.metric, "metric")

    output = _output(config)
    sharp = list_images(Path(str(config.sharp)).expanduser(), "sharp") if config.sharp else []
    upscalers = {name: lambda c=c: c.open(scale) for name, c in rows.items()}
    photos = sum(map(len, sets.values()))
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("evaluating", total=photos * len(rows))

        def advance(note: str) -> None:
            bar.update(task, advance=1, description=escape(note[-40:]))

        outcomes, of_sets = measure(upscalers, sets, panel, output / "results", advance, sharp)
    protocol = {**panel.protocol(), "scale": scale, "photos": photos, "large images": STATED}
    summary = summarise(outcomes, protocol, config.seed, of_sets, panel.parts)
    results.write(output, summary)
    _say(summary, console)
    if all(found.photos[0][1] is None for found in sets.values()):
        console.print("No ground truth was given (data.hr): look at the pictures.")
    if config.card:
        for folder in named(config.run, "run").values():
            run_card.report(folder, output, console)
    console.print(f"{output / 'results.json'}; pictures: {output / 'results'}")
    if config.page_mb:
        texts = {"command": shlex.join(["python", "evaluate.py", *overrides])}
        texts["configuration"] = OmegaConf.to_yaml(config, resolve=True)
        runs = named(config.run, "run")
        texts |= {
            f"configuration of {n}": (path / "config.yaml").read_text() for n, path in runs.items()
        }
        page = Page(f"Evaluation: {', '.join(rows)}", scale, config.page_mb * 10**6, runs, texts)
        console.print(f"page: {write_page(output, summary, sets, page)}")
    return 0


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
    console.print(escape(results.markdown(summary)))
    failed = [outcome for outcome in summary.outcomes if outcome.error is not None]
    for outcome in failed[:5]:
        text = f"{outcome.row}, {outcome.photo_set}/{outcome.image}: {outcome.error}"
        console.print(f"[yellow]failed:[/] {escape(text)}")
    if len(failed) > 5:
        console.print(f"[yellow]failed:[/] {len(failed) - 5} more; see per_image.csv")


def _output(config: DictConfig) -> Path:
    """A new folder, or the one that was named."""
    if config.output is not None:
        return Path(str(config.output)).expanduser()
    runs = list(named(config.run, "run").values())
    parent = runs[0] if len(runs) == 1 else Path()
    number = 1
    while (folder := parent / f"evaluation-{number}").exists():
        number += 1
    return folder
