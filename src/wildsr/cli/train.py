"""The verb ``train``: from folders of photos to an upscaler and a table of results."""

from __future__ import annotations

from rich.console import Console

from wildsr.training import train as training
from wildsr.training.rank import process_rank


def train(overrides: list[str], console: Console) -> int:
    """Train, compare and report; returns the exit code.

    Raises:
        UserError: an invalid configuration, missing or unreadable photos, a training that fails.
    """
    trained = training.train(overrides, console)
    # Only the first process returns the signal: a launcher takes other nonzero codes for failures.
    stopped = None if trained is None or process_rank() > 0 else trained.signal
    return 0 if stopped is None else 128 + stopped
