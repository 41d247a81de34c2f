"""Refuse configurations that cannot be meant, before anything is built."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from wildsr.argument import check_integer, check_scale
from wildsr.error import UserError


def check_config(config: DictConfig) -> None:
    """Refuse top-level values that cannot be meant.

    Raises:
        UserError: naming the key, the value and what it may be.
    """
    check_scale("`scale`", config.scale)
    least = dict.fromkeys(("iterations", "keep", "validate_every", "checkpoint_every"), 1)
    for key, minimum in {**least, "log_every": 1, "tile": 8, "seed": 0, "snapshots": 0}.items():
        check_integer(f"`{key}`", config[key], minimum)
    seconds = config.seconds
    if not (seconds is None or (isinstance(seconds, int | float) and seconds > 0)):
        raise UserError(f"`seconds` must be a positive number or null, but got {seconds!r}.")
    for key in ("patch", "batch"):
        check_integer(f"`data.{key}`", config.data[key], 1)
    missing = sorted(f"`{key}`" for key in OmegaConf.missing_keys(config))
    if missing:
        folders = [key for key in missing if key.startswith("`data.")]
        what = "folders of photos" if folders == missing else "see the configuration's comments"
        raise UserError(f"{' and '.join(missing)} must be given: {what}.")
