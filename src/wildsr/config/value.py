"""Check single values: the same for every verb that has the key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from wildsr.archive.shard import shard_of
from wildsr.argument import check_integer
from wildsr.error import UserError, shortened, unknown


def check_choice(config: DictConfig, key: str, choices: Collection[Any]) -> None:
    """Refuse values that are not among the choices."""
    value = config[key]
    if isinstance(value, bool) or value not in choices:
        if all(isinstance(choice, str) for choice in choices):
            raise unknown(f"`{key}`", value, choices)
        raise UserError(f"`{key}` must be one of {list(choices)}, but got {shortened(value)}.")


def check_switch(config: DictConfig, key: str, further: Sequence[str] = ()) -> None:
    """Refuse values other than true, false and ``further`` ones."""
    if not isinstance(config[key], bool) and config[key] not in further:
        choices = " or ".join(", ".join(["true", "false", *further]).rsplit(", ", 1))
        raise UserError(f"`{key}` must be {choices}, but got {shortened(config[key])}.")


def check_least(config: DictConfig, key: str, least: int) -> None:
    """Refuse values that are not integers of at least ``least``."""
    check_integer(f"`{key}`", OmegaConf.select(config, key), least)


def check_limit(config: DictConfig) -> None:
    """Refuse invalid ``limit`` (megapixels)."""
    value = config.limit
    if value is not None and not (is_number(value) and value > 0):
        raise UserError(f"`limit` must be a positive number or null, but got {shortened(value)}.")


def check_strength(config: DictConfig, several: bool = False) -> None:
    """Refuse values outside the range of ``strength``, and empty lists where lists are allowed."""
    value = config.strength
    listed = list(value) if several and isinstance(value, ListConfig) else [value]
    for number in listed if value is not None else ():
        if not (is_number(number) and 0 <= number <= 1):
            raise UserError(
                "`strength` must be a number from 0 (faithful) to 1 (finished)"
                f"{', or a list of them,' if several else ''} or null, but got "
                f"{shortened(number)}."
            )
    if not listed:
        raise UserError("`strength` must not be an empty list.")


def check_part(config: DictConfig) -> None:
    """Refuse invalid ``shard`` and ``retry``: the part of the photos to process."""
    shard_of(config.shard)
    if config.retry not in (None, "failed"):
        raise UserError(f"`retry` must be failed or null, but got {shortened(config.retry)}.")


def is_whole(value: Any) -> bool:
    """Whether a value is an integer (true and false are not)."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a number (true and false are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)
