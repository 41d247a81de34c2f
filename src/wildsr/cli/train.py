"""The verb ``train``: from two folders to an upscaler and a table."""

from __future__ import annotations

from rich.console import Console

from wildsr.training import train as training


def train(overrides: list[str], console: Console) -> int:
    """Train, compare and report; returns the exit code."""
    trained = training.train(overrides, console)
    return 0 if trained is None or trained.signal is None else 128 + trained.signal
