"""``wildsr.train``: train from Python."""

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
    """Train an upscaler on a folder of LR photos and a folder of sharp ones; as ``wildsr train``.

    Afterwards it is compared with bicubic interpolation on the validation photos, and a report is
    written into the run's folder.

    Args:
        settings: settings whose names are not Python identifiers: ``{"data.lr": "scans"}``,
            ``{"network/upscaler": "compact_small"}``. All settings are in ``conf/train.yaml``;
            ``wildsr train --help`` lists them.
        quiet: print nothing.
        more: further settings: ``data="folders"``, ``iterations=5000``, ``resume="auto"``.

    Returns:
        The table of metrics on the run's validation photos, and the run's folder. A training that
        was
        stopped (by the notebook's stop button, say) has no rows yet; ``resume=folder`` continues
        it.

    Raises:
        UserError: an unknown setting, an invalid value, or photos that cannot be read.

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
