"""Evaluation from Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wildsr.api.console import console_of
from wildsr.api.overrides import overrides_of
from wildsr.api.results import Results
from wildsr.api.table import measure_and_report
from wildsr.config.quiet import quiet_libraries
from wildsr.error import UserError


def evaluate(
    settings: Mapping[str, Any] | None = None, /, *, quiet: bool = False, **more: Any
) -> Results:
    """Measure runs, weights, interpolation and finished pictures: what the verb ``evaluate`` does.

    Args:
        settings: settings whose names are no Python names: ``{"data.lr": folder, "data.hr":
            truth}``. What there is, is in ``conf/evaluate.yaml``; ``wildsr evaluate --help`` lists
            it.
        quiet: print nothing.
        more: further settings: ``run="runs/first"``, ``weights="x4.pth"``, ``metric="classical"``.
            What takes a folder takes a list of them, or a mapping of names to folders.

    Returns:
        The table, and the folder of its files.

    Raises:
        UserError: for an unknown setting, a value that cannot be, photos that cannot be read.

    Examples:
        >>> found = wildsr.evaluate(
        ...     {"data.lr": "lr", "data.hr": "truth"}, run="runs/first", output="found", quiet=True
        ... )
        >>> list(found)
        ['bicubic', 'wild']
        >>> round(found["bicubic"]["ssim"], 2) <= 1
        True
    """
    overrides = overrides_of(settings, more, "evaluate")
    with quiet_libraries():
        folder, summary = measure_and_report(["shard=null", *overrides], console_of(quiet))
    if summary is None:
        raise UserError(
            f"`shard`: other shards are still to be measured; the table comes with the last, in "
            f"{folder}."
        )
    return Results(folder, summary)
