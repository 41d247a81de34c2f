"""Refuse configurations that cannot be meant, before anything is built."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from wildsr.error import UserError

SCALES = (1, 2, 3, 4, 8)


def check_config(config: DictConfig) -> None:
    """Refuse top-level values that cannot be meant.

    Raises:
        UserError: naming the key, the value and what it may be.
    """
    if config.scale not in SCALES:
        raise UserError(f"`scale` must be one of {list(SCALES)}, but got {config.scale!r}.")
    least = dict.fromkeys(("iterations", "keep", "validate_every", "checkpoint_every"), 1)
    for key, minimum in {**least, "log_every": 1, "tile": 8, "seed": 0, "snapshots": 0}.items():
        if not (isinstance(config[key], int) and config[key] >= minimum):
            raise UserError(
                f"`{key}` must be an integer of at least {minimum}, but got {config[key]!r}."
            )
    seconds = config.seconds
    if not (seconds is None or (isinstance(seconds, int | float) and seconds > 0)):
        raise UserError(f"`seconds` must be a positive number or null, but got {seconds!r}.")
    for key in ("patch", "batch"):
        value = config.data[key]
        if not (isinstance(value, int) and value >= 1):
            raise UserError(f"`data.{key}` must be an integer of at least 1, but got {value!r}.")
    missing = sorted(f"`{key}`" for key in OmegaConf.missing_keys(config))
    if missing:
        folders = [key for key in missing if key.startswith("`data.")]
        what = "folders of photos" if folders == missing else "see the configuration's comments"
        raise UserError(f"{' and '.join(missing)} must be given: {what}.")
