"""The search space of a sweep: parsed from ``search={key: values}``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from wildsr.argument import check_integer
from wildsr.config.choice import CONF
from wildsr.config.plain import read_yaml
from wildsr.error import UserError, shortened, unknown

Value = bool | int | float | str | None
SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "none")
AUTO, CARD, PANEL = "auto", "card", "panel"
RANGE = "[low, high], [low, high, log], a list of choices or {choices: [one, other]}"


@dataclass(frozen=True)
class Range:
    """Numbers in a range, both ends included.

    Args:
        low: the smallest.
        high: the largest.
        log: draw evenly by the logarithm.
    """

    low: int | float
    high: int | float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only integers are drawn: both ends are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def tried(self) -> tuple[Value, ...]:
        """The values that are checked before the first trial: the ends."""
        return self.low, self.high

    def __str__(self) -> str:
        kind = "whole numbers, " if self.whole else ""
        return f"{self.low:g} to {self.high:g} ({kind}{'logarithmic' if self.log else 'linear'})"


@dataclass(frozen=True)
class Choices:
    """A list of values to choose from.

    Args:
        values: at least two, all different.
    """

    values: tuple[Value, ...]

    @property
    def tried(self) -> tuple[Value, ...]:
        """The values that are checked before the first trial: all of them."""
        return self.values

    def __str__(self) -> str:
        return " or ".join(
            json.dumps(v) if isinstance(v, bool | None) else str(v) for v in self.values
        )


Space = Mapping[str, Range | Choices]


def check_search(config: DictConfig) -> None:
    """Refuse invalid values of the keys that ``sweep`` has besides those of ``train``.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    space_of(config)
    check_integer("`trials`", config.trials, 1)
    for key, names in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
        if config[key] not in names:
            raise unknown(f"`{key}`", config[key], names)
    for key, why in (
        ("resume", "the same command goes on with its sweep"),
        ("explain", "`python train.py ... explain=true` explains a method"),
    ):
        if config[key]:
            raise UserError(f"`{key}` is no key of a sweep: {why}.")
    strength = config.strength
    if isinstance(strength, bool) or not (isinstance(strength, int | float) and 0 <= strength <= 1):
        raise UserError(f"`strength` must be a number from 0 to 1, but got {shortened(strength)}.")
    devices, nodes = config.trainer.devices, OmegaConf.select(config, "trainer.num_nodes")
    if devices not in (1, "1") or nodes not in (None, 1):
        raise UserError(
            f"`trainer.devices` must be 1 in a sweep, but got {shortened(devices)}: start the same "
            "command once for each device (CUDA_VISIBLE_DEVICES=1 python sweep.py ...), and they "
            "share the trials."
        )
    _check_objective(config)


def objective_of(config: DictConfig) -> str:
    """What trials are compared by: a metric, ``card`` or ``panel``; ``auto`` is resolved."""
    if config.objective != AUTO:
        return str(config.objective)
    return "psnr" if has_truth(config) else PANEL


def has_truth(config: DictConfig) -> bool:
    """Whether the validation photos have ground truth: the demo's do, others if it is given."""
    return "val_hr" not in config.data or config.data.val_hr is not None


def _check_objective(config: DictConfig) -> None:
    known = [m for m in _metrics("full") if m != "sharpness"]  # of which neither side is better
    given = config.objective
    if given not in (AUTO, CARD, PANEL, *known):
        raise unknown("`objective`", given, [AUTO, CARD, PANEL, *known])
    without = {*_metrics("no_reference"), "lr_consistency_learned", "lr_discrepancy", CARD, PANEL}
    if objective_of(config) not in without and not has_truth(config):
        raise UserError(
            f"`objective={given}` needs the truth of the validation photos (data.val_lr, "
            f"data.val_hr); without it, {CARD}, {PANEL} or one of {_metrics('no_reference')}."
        )


def _metrics(name: str) -> list[str]:
    listed: list[str] = read_yaml(CONF / "metric" / f"{name}.yaml")["metrics"]
    return listed


def space_of(config: DictConfig) -> dict[str, Range | Choices]:
    """Parse ``search``.

    Returns:
        The range or choices of each key.

    Raises:
        UserError: ``search`` is empty, or a key has no valid range.
    """
    if config.search is None:
        raise UserError(f"`search` must be given: {{key: {RANGE}}}.")
    searched: Any = OmegaConf.to_container(config, resolve=True)
    searched = searched["search"]
    if not isinstance(searched, Mapping) or not searched:
        raise UserError(
            f"`search` must be a mapping of keys to values, but got {shortened(searched)}."
        )
    return {str(key): _parsed(str(key), value) for key, value in searched.items()}


def _parsed(key: str, given: Any) -> Range | Choices:
    what = f"`search`: `{key}`"
    if isinstance(given, Mapping):
        if set(given) != {"choices"} or not isinstance(given["choices"], list):
            raise UserError(f"{what} must be {RANGE}, but got {shortened(given)}.")
        return _choices(what, given["choices"])
    if not isinstance(given, list):
        raise UserError(f"{what} must be {RANGE}, but got {shortened(given)}.")
    log = len(given) == 3 and given[2] == "log"
    ends = given[:2]
    if (log or len(given) == 2) and all(map(_number, ends)):
        low, high = ends
        if not low < high:
            raise UserError(f"{what} must be [low, high], but {low} is not below {high}.")
        if log and low <= 0:
            raise UserError(f"{what} is logarithmic, so it must begin above 0, but got {low}.")
        return Range(low, high, log)
    if log:
        raise UserError(f"{what} must be [low, high, log] of two numbers, but got {given}.")
    return _choices(what, given)


def _choices(what: str, given: list[Any]) -> Choices:
    if any(not isinstance(value, Value) for value in given):
        raise UserError(f"{what}: choices must be numbers or words, but got {shortened(given)}.")
    if len(given) < 2 or len({json.dumps(value) for value in given}) < len(given):
        raise UserError(
            f"{what} must have at least two choices, each once, but got {shortened(given)}."
        )
    return Choices(tuple(given))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
