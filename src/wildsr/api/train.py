"""Training from Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wildsr.api.console import console_of
from wildsr.api.overrides import overrides_of
from wildsr.api.results import Results
from wildsr.config.quiet import quiet_libraries
from wildsr.error import UserError
from wildsr.training import train as training


def train(
    settings: Mapping[str, Any] | None = None, /, *, quiet: bool = False, **more: Any
) -> Results:
    """Train an upscaler on two folders, compare it and report: what the verb ``train`` does.

    Args:
        settings: settings whose names are no Python names: ``{"data.lr": "scans"}``,
            ``{"network/upscaler": "compact_small"}``. What there is, is in ``conf/train.yaml``;
            ``wildsr train --help`` lists it.
        quiet: print nothing.
        more: further settings: ``data="folders"``, ``iterations=5000``, ``resume="auto"``.

    Returns:
        The table of the run's validation photos, and the run's folder. A training that was stopped
        (by the notebook's stop button, say) has no rows yet; ``resume=folder`` goes on with it.

    Raises:
        UserError: for an unknown setting, a value that cannot be, photos that cannot be read.

    Examples:
        >>> trained = wildsr.train(
        ...     {"data.lr": "lr", "data.hr": "sharp", "data.patch": 8, "data.batch": 2},
        ...     data="folders", name="first", iterations=2, logger="none", quiet=True,
        ... )
        >>> trained.folder
        PosixPath('runs/first')
        >>> list(trained)
        ['bicubic', 'wild']
    """
    overrides = overrides_of(settings, more)
    with quiet_libraries():
        trained = training.train(overrides, console_of(quiet))
    if trained is None:
        raise UserError("`explain` trains nothing, so there are no results: it must be False here.")
    return Results(trained.folder, trained.summary)
