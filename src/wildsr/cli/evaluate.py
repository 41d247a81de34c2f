"""The verb ``evaluate``: runs, weights, interpolation and finished results, in one table."""

from __future__ import annotations

from rich.console import Console

from wildsr.api.table import measure_and_report


def evaluate(overrides: list[str], console: Console) -> int:
    """Measure and report; the exit code."""
    measure_and_report(overrides, console)
    return 0
