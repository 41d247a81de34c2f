"""Write a training's results: the table, the pictures, the weights, the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.markup import escape

from wildsr.data.module import Folders
from wildsr.error import first_line
from wildsr.evaluation.evaluate import Restore, evaluate, upscaling_protocol
from wildsr.evaluation.rows import strength_label
from wildsr.evaluation.summary import Summary, summarise
from wildsr.export.handover import short
from wildsr.inference.degrader import Degrader
from wildsr.inference.weights import save_weights
from wildsr.method.finishing import FAITHFUL, FINISHED
from wildsr.metric.kind import Pair
from wildsr.metric.panel import Panel
from wildsr.photo.sensor import RGB
from wildsr.report import results
from wildsr.report.card.of_run import ENOUGH, card_of
from wildsr.report.card.sheet import write_card
from wildsr.report.page.page import Page, write_page
from wildsr.report.strength import draw_strengths
from wildsr.run.finish import SUFFIX, write_finish
from wildsr.run.folder import Run
from wildsr.run.profile import said_of
from wildsr.training.artifact import artifact
from wildsr.training.logger import Log
from wildsr.training.module import Training
from wildsr.training.pretrained import pretrained
from wildsr.training.session import Job
from wildsr.training.strength import RULE, STATED, measure_strengths
from wildsr.training.validation import pictures, restoring


def card_of_training(
    training: Training, data: Folders, folder: Path, console: Console
) -> Path | None:
    """Write the report card of a training into its folder; returns its picture, or None.

    There is none where all crops came from pairs: no LR was generated.
    """
    if data.paired == data.batch:
        return None
    networks = dict(training.networks.items())
    try:
        degrader = Degrader(training.objective.method, networks, training.scale).eval()
        made = card_of(degrader, data, data.seed, ENOUGH)
        path = write_card(made, folder)
    except Exception as error:  # whatever it is, it must not cost a finished run its table
        console.print(f"No report card: {escape(first_line(error))}", highlight=False)
        return None
    console.print(made.headline, markup=False, highlight=False)
    return path


@dataclass(frozen=True)
class Finish:
    """The result of a finish stage.

    Attributes:
        strength: the default strength.
        record: for the results files, in plain types.
        said: one line about it.
        plot: picture of PSNR against ST-LPIPS for all strengths.
    """

    strength: float
    record: Mapping[str, Any]
    said: str
    plot: Path


def finished(job: Job, folder: Run, training: Training) -> Finish:
    """Find the default strength of a finished upscaler; record it in the run's folder."""
    assert training.guard is not None
    networks = dict(training.networks.items())
    averages = dict(training.ema.networks.items())
    method, scale = training.objective.method, training.scale
    found = measure_strengths(method, averages, networks, job.data, scale, training.device)
    back = training.guard.back
    record = {
        "strength": found.strength,
        "rule": RULE,
        "measured": STATED,
        "along": found.along,
        "taken back": back,
        "ended early": training.guard.ended,
    }
    write_finish(folder.folder, record)
    plot = folder.folder / "strength.png"
    draw_strengths(found.along, found.strength, plot)
    trouble = f"; taken back {len(back)} times, see finish.json" if back else ""
    said = f"finish: default strength {found.strength:g} of 0 (faithful) to 1 (finished){trouble}"
    return Finish(found.strength, record, said, plot)


PAGE = 10 * 10**6  # bytes of pictures on a run's page, which is then written within seconds


def report_run(
    job: Job,
    folder: Run,
    training: Training,
    upscalers: dict[str, Callable[[], Restore]],
    logs: list[Log],
) -> Summary:
    """Evaluate a finished training; write its weights, table, pictures and page.

    Args:
        job: photos, metrics and configuration.
        folder: of the run.
        training: at its end, on the device that computes.
        upscalers: name -> factory of a function that upscales a photo, called when it is needed;
            the last one is the training's. Those of a finish stage are added.
        logs: where tables and pictures go.

    Returns:
        The table.
    """
    console, config = job.console, job.config
    scale = config.scale
    sources = sorted(training.ema.networks)
    weights = []
    plain = [name for name in sources if name != FINISHED]
    for name in sorted(sources, key=FINISHED.__eq__):
        faithful = FAITHFUL if name == FINISHED else name
        suffix = "" if len(plain) == 1 else f"_{faithful}"
        suffix += SUFFIX if name == FINISHED else ""
        architecture: Any = OmegaConf.to_container(config.method.networks[name], resolve=True)
        factor = scale if name in (FAITHFUL, FINISHED) else 1  # a cleaner keeps the size
        path = folder.weights / f"{factor}x_{short(folder.folder.name)}{suffix}.safetensors"
        save_weights(
            training.ema.networks[name], path, architecture, factor, job.data.sensor or RGB
        )
        weights.append(path)
        console.print(f"weights: {path}", markup=False)
    begun = time.perf_counter()
    last = next(reversed(upscalers))
    shown = {"SR": upscalers[last]}
    made: dict[str, Path] = {}
    finish = None if training.guard is None else finished(job, folder, training)
    if finish is not None:
        console.print(finish.said, markup=False)
        made["strength"] = finish.plot
        for strength in dict.fromkeys((1.0, finish.strength)):
            if strength > 0:
                label = strength_label(last, strength)
                device, tile = training.device, config.tile
                upscalers[label] = cache(partial(restoring, training, device, tile, strength))
                shown[label.removeprefix(f"{last} ")] = upscalers[label]
    photos = {"validation": job.data.photos}
    outcomes, of_sets = evaluate(
        upscalers, photos, job.panel, folder.folder / "results", device=training.device
    )
    protocol = {
        **job.panel.protocol(),
        **upscaling_protocol(
            config.tile, training.device, "the precision of its weights", job.data.photos.sensor
        ),
        "photos": len(job.data.photos),
        "scale": scale,
        "iterations": training.iteration,
        "training_seconds": round(training.seconds, 1),
        **({"camera": camera} if (camera := said_of(folder.folder)) is not None else {}),
        "trained_on": job.data.trained_on(),
    }
    if looked_through := pretrained(training.objective, dict(training.networks.items())):
        protocol["losses"] = looked_through
    if finish is not None:
        protocol["finish"] = finish.record
    summary = summarise(outcomes, protocol, config.seed, of_sets, job.panel.parts)
    results.write(folder.folder, summary)
    columns = {name: make() for name, make in shown.items()}
    made = {**pictures(training, job.data, columns, folder.folder), **made}
    if (card := card_of_training(training, job.data, folder.folder, console)) is not None:
        made["report_card"] = card
    files = artifact(folder.folder, training, weights, made, job.data.sensor or RGB)
    texts = {"configuration": OmegaConf.to_yaml(config, resolve=True)}
    page = Page(folder.folder.name, scale, PAGE, {folder.folder.name: folder.folder}, texts)
    console.print(f"page: {write_page(folder.folder, summary, photos, page)}", markup=False)
    for log in logs:
        log.pictures(made, training.iteration)
        log.files(files)
        log.table("results", results.flat(summary), training.iteration)
        for row in summary.of_set(None):
            known = {f"test/{row.row}/{k}": v for k, v in row.values.items() if v is not None}
            log.scalars(known, training.iteration)
    for path in made.values():
        console.print(f"picture: {path}", markup=False)
    seconds = f"evaluated in {time.perf_counter() - begun:.0f} s"
    console.print(f"{seconds}; {folder.folder / 'results.json'}\n", markup=False)
    console.print(results.table(summary, None), markup=False)
    if not summary.rows:
        said = "No photo was measured: there was none (data.preview, data.val_lr)."
        console.print(said, markup=False)
        return summary
    if not job.data.photos.truths:
        said = f"No ground truth was given (data.val_lr, data.val_hr){_instead(job.panel)}"
        console.print(said, markup=False)
        return summary
    for what, needs in job.panel.missing().items():
        console.print(f"{results.heading(summary, what)} is missing: {needs}", markup=False)
    return summary


def _instead(panel: Panel) -> str:
    """What that means for a table, as the rest of the sentence."""
    without = [metric.title for metric in panel.parts.values() if isinstance(metric, Pair)]
    if without:
        return f", without which the table has no {', '.join(without)}."
    return (
        ": these are the metrics that need none (docs/metrics.md), which do not replace a look at "
        "the pictures."
    )
