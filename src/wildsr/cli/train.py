"""The verb ``train``: the main job, from two folders to an upscaler and an honest table."""

from __future__ import annotations

from rich.console import Console

from wildsr.training import train as training


def train(overrides: list[str], console: Console) -> int:
    """Train, compare, report; the exit code."""
    trained = training.train(overrides, console)
    return 0 if trained is None or trained.signal is None else 128 + trained.signal
