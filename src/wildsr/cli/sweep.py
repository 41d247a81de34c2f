"""The verb ``sweep``: hyperparameter search over trainings."""

from __future__ import annotations

from rich.console import Console

from wildsr.sweep.sweep import sweep as search


def sweep(overrides: list[str], console: Console) -> int:
    """Search and report; returns the exit code.

    Raises:
        UserError: an invalid configuration, or all trials fail.
    """
    swept = search(overrides, console)
    return 0 if swept.signal is None else 128 + swept.signal
