"""The verb ``sweep``: many trainings with drawn values, compared."""

from __future__ import annotations

from rich.console import Console

from wildsr.sweep.sweep import sweep as search


def sweep(overrides: list[str], console: Console) -> int:
    """Search and report; returns the exit code."""
    swept = search(overrides, console)
    return 0 if swept.signal is None else 128 + swept.signal
