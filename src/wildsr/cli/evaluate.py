"""The verb ``evaluate``: compare runs, weights, interpolation and saved results in one table."""

from __future__ import annotations

from rich.console import Console

from wildsr.api.table import measure_and_report
from wildsr.evaluation.summary import Summary


def evaluate(overrides: list[str], console: Console) -> int:
    """Measure and report; returns the exit code, 1 if an upscaler failed on every photo.

    Raises:
        UserError: an invalid configuration, a missing or damaged run or file.
    """
    _, summary = measure_and_report(overrides, console)
    return 1 if summary is not None and _nothing_measured(summary) else 0


def _nothing_measured(summary: Summary) -> bool:
    """Whether a row of the table failed on every photo."""
    failed: dict[str, bool] = {}
    for outcome in summary.outcomes:
        failed[outcome.row] = failed.get(outcome.row, True) and outcome.error is not None
    return any(failed.values())
