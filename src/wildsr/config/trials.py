"""The trials of a sweep: the overrides of each, checked before the first one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from omegaconf import DictConfig

from wildsr.config.check import checked
from wildsr.config.choice import CONF
from wildsr.config.override import written
from wildsr.config.search import Value, space_of
from wildsr.error import UserError

# Keys of `sweep` besides those of `train`.
OWN = ("search", "trials", "objective", "strength", "storage", "sampler", "pruner")
# Keys that decide where trials are stored or on what they are measured: the same for all of them.
FIXED = ("name", "runs_dir", "resume", "explain", "trust", "scale", "metric", "data", "logger")
SEARCHED_DATA = ("data.patch", "data.batch", "data.pairs_share")


def checked_sweep(overrides: Sequence[str]) -> DictConfig:
    """Compose the configuration of ``sweep`` and check it, including its search space.

    Raises:
        UserError: a key is unknown or its value is invalid; the message names the first such key.
    """
    config = checked("sweep", overrides)
    space = space_of(config)
    base = trial_overrides(overrides)
    typed = {key_of(override) for override in base}
    for key in space:
        _check_key(key, typed)
    # Choices of groups first: they decide which other keys there are. One key more at a time, so
    # that what is refused is named.
    ordered = sorted(space, key=lambda key: not _is_group(key))
    values: dict[str, Value] = {}
    for key in ordered:
        for value in space[key].tried:
            _check_trial(base, {**values, key: value}, key)
        values[key] = space[key].tried[0]
    for key in filter(_is_group, ordered if len(ordered) > 1 else ()):
        for value in space[key].tried[1:]:
            _check_trial(base, {**values, key: value}, key)
    return config


def key_of(override: str) -> str:
    """The key of ``key=value``, without Hydra's signs."""
    return override.split("=", 1)[0].lstrip("+~")


def trial_overrides(overrides: Sequence[str]) -> list[str]:
    """The overrides with which every trial is started: all but the sweep's own keys."""
    own = (*OWN, "name", "runs_dir")
    return [one for one in overrides if key_of(one).split(".")[0] not in own]


def identity(overrides: Sequence[str]) -> str:
    """A short name that identifies a sweep: the same for the same settings in any order.

    The number of trials, their storage and the sampler may change when a sweep is resumed.
    """
    free = ("trials", "storage", "sampler", "pruner", "name", "runs_dir", "logger", "trainer")
    kept = sorted(one for one in overrides if key_of(one).split(".")[0].split("/")[0] not in free)
    return hashlib.blake2b(json.dumps(kept).encode(), digest_size=4).hexdigest()


def _is_group(key: str) -> bool:
    return (CONF / key.lstrip("+")).is_dir()


def _check_key(key: str, typed: set[str]) -> None:
    plain = key.lstrip("+")
    if plain in typed:
        raise UserError(f"`{plain}` is both given and searched: leave out one of them.")
    first = plain.split(".")[0].split("/")[0]
    if plain in OWN or (first in FIXED and plain not in SEARCHED_DATA):
        raise UserError(
            f"`search`: `{key}` cannot be searched: it says where trials go or what they are "
            "measured on, and so must be the same for all of them."
        )


def _check_trial(base: list[str], values: Mapping[str, Value], searched: str) -> None:
    typed = [*base, *(f"{key}={written(value)}" for key, value in values.items())]
    try:
        checked("train", typed)
    except UserError as error:
        shown = f"{searched}={written(values[searched])}"
        raise UserError(f"`search`: with {shown}: {error}") from error
