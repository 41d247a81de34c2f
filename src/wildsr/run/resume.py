"""The configuration of a resumed run: the saved overrides with the new ones."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from wildsr.config.check import check_config
from wildsr.config.compose import configure
from wildsr.config.plain import as_config, read_yaml
from wildsr.config.recorded import LEARNED, of_target
from wildsr.config.trust import check_targets, typed_targets
from wildsr.error import UserError
from wildsr.run.folder import merged, plain_config
from wildsr.run.saved import check_overrides, overrides_of


def resumed_config(folder: Path, typed: list[str], trust: bool) -> tuple[DictConfig, list[str]]:
    """The configuration of the run in ``folder`` from here on, and the overrides that make it.

    Args:
        folder: of the run.
        typed: the overrides of this command, which replace saved ones of the same key.
        trust: allow the run to name code outside of wildsr that was not typed in this command.

    Raises:
        UserError: the run names such code without ``trust``, or its saved overrides are damaged or
            invalid.
    """
    what = f"The run folder {folder}"
    check_overrides([o for o in overrides_of(folder) if o not in typed], what, trust)
    overrides = merged(folder, typed)
    if not _finishes(folder) and not any(o.startswith("finish=") for o in overrides):
        overrides = [*overrides, "finish=none"]  # its checkpoint has no networks of a finish
    config = configure("train", overrides)
    check_targets(plain_config(config), what, trust, typed_targets(typed))
    plain = plain_config(config)
    check_config(config)
    for node in of_target(plain, LEARNED):
        node["trust"] = trust
    return as_config({**plain, "trust": trust}), overrides


def _finishes(folder: Path) -> bool:
    """Whether a run was started with a finish, as far as its configuration can be read."""
    try:
        recorded = read_yaml(folder / "config.yaml")
    except UserError:
        return True
    method = recorded.get("method") if isinstance(recorded, dict) else None
    return isinstance(method, dict) and "finish" in method
