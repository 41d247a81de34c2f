"""``wildsr.evaluate``: measure upscalers from Python."""

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
    """Measure upscalers on photos and write a table with pictures; the same as ``wildsr evaluate``.

    What is compared: runs, weights files, bicubic interpolation, and results that other tools
    saved.

    Args:
        settings: settings whose names are not Python identifiers: ``{"data.lr": folder, "data.hr":
            truth}``. All settings are in ``conf/evaluate.yaml``; ``wildsr evaluate --help`` lists
            them.
        quiet: print nothing.
        more: further settings: ``run="runs/first"``, ``weights="x4.pth"``, ``metric="classical"``.
            A setting that takes a folder also takes a list of folders, or a mapping of names to
            folders.

    Returns:
        The table of metrics, and the folder with its files.

    Raises:
        UserError: an unknown setting, an invalid value, or photos that cannot be read.

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
