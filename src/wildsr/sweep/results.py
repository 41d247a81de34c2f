"""The results of a sweep: its trials as a table, as CSV and as an HTML page."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from wildsr.atomic import write_text
from wildsr.config.override import written
from wildsr.report.sweep.page import Row, page
from wildsr.sweep.study import optuna, place

SHOWN = 10  # trials of the table that is printed
ENOUGH = 10  # finished trials at least, to compute importances


def rows(study: Any, higher: bool) -> list[Row]:
    """The trials, each in its last attempt: the best first, then the unfinished ones by number."""
    library = optuna()
    complete = library.trial.TrialState.COMPLETE
    last = {place(t): t for t in study.get_trials(deepcopy=False) if "surplus" not in t.user_attrs}
    ordered = sorted(
        last.values(),
        key=lambda t: (
            t.state != complete,
            (-t.value if higher else t.value) if t.state == complete else 0.0,
            t.number,
        ),
    )
    return [_row(trial) for trial in ordered]


def _row(trial: Any) -> Row:
    value = trial.value
    if value is None and trial.intermediate_values:
        value = trial.intermediate_values[max(trial.intermediate_values)]
    duration = trial.duration
    return Row(
        place(trial),
        trial.state.name.lower().replace("fail", "failed"),
        value,
        dict(trial.params),
        None if duration is None else duration.total_seconds(),
        str(trial.user_attrs.get("error", "")),
        sorted(trial.intermediate_values.items()),
    )


def said(study: Any, number: int) -> str:
    """One line about a trial that has ended."""
    row = _row(study.get_trials(deepcopy=False)[number])
    value = "" if row.value is None else f" {row.value:.5g}"
    drawn = ", ".join(f"{key}={_short(one)}" for key, one in row.params.items())
    error = f": {row.error}" if row.error else ""
    return f"trial {row.name}: {row.state}{value} ({drawn}){error}"


def table(study: Any, higher: bool) -> str:
    """The best trials as a Markdown table."""
    found = rows(study, higher)
    keys = list(dict.fromkeys(key for row in found for key in row.params))
    lines = [f"| trial | | objective | {' | '.join(keys)} |"]
    lines += [f"| --- | --- | ---: | {' | '.join('---' for _ in keys)} |"]
    for row in found[:SHOWN]:
        value = "" if row.value is None else f"{row.value:.5g}"
        drawn = (_short(row.params[key]) if key in row.params else "" for key in keys)
        lines.append(f"| {row.name} | {row.state} | {value} | {' | '.join(drawn)} |")
    if len(found) > SHOWN:
        lines.append(f"\n{len(found) - SHOWN} more: see the page")
    return "\n".join(lines)


def leave(study: Any, folder: Path, title: str, higher: bool) -> Path:
    """Write ``trials.csv`` and ``sweep.html`` into a folder; returns the page's path."""
    found = rows(study, higher)
    keys = list(dict.fromkeys(key for row in found for key in row.params))
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["trial", "state", "objective", "seconds", *keys, "error"])
    for row in found:
        drawn = [written(row.params[key]) if key in row.params else "" for key in keys]
        table.writerow([row.name, row.state, row.value, row.seconds, *drawn, row.error])
    write_text(folder / "trials.csv", text.getvalue())
    shown = page(folder.name, title, higher, found, _importances(study))
    write_text(folder / "sweep.html", shown)
    return folder / "sweep.html"


def _importances(study: Any) -> dict[str, float]:
    """The importance of each key (PED-ANOVA), by Optuna; empty if too few trials are complete."""
    library = optuna()
    complete = study.get_trials(deepcopy=False, states=(library.trial.TrialState.COMPLETE,))
    if len(complete) < ENOUGH:
        return {}
    evaluator = library.importance.PedAnovaImportanceEvaluator()
    try:
        found: dict[str, float] = library.importance.get_param_importances(
            study, evaluator=evaluator
        )
    except (ValueError, RuntimeError):  # all of one value
        return {}
    return found


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
