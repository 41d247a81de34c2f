"""Decide which code a configuration from a file may call.

A run folder may come from a stranger, and ``_target_`` in a configuration names the code to call.
Allowed are wildsr's own classes, one by one (those that its configurations name; never a prefix,
because every module also holds what it imports), and torch's optimisers. Other names are only
allowed if they were typed in this very command, or with ``trust=true``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from omegaconf import DictConfig

from wildsr.config.choice import CONF
from wildsr.error import UserError

TARGET = "_target_"
# Hydra's other keys that control calls; wildsr's configurations do not use them.
CALLS = ("_args_", "_partial_", "_convert_", "_recursive_")
# Classes of wildsr that no shipped configuration names.
MORE = ("wildsr.training.schedule.Constant", "wildsr.training.schedule.Cosine")


@functools.cache
def known_targets() -> frozenset[str]:
    """All ``_target_`` names that any configuration may use."""
    named = [
        target
        for path in sorted(CONF.rglob("*.yaml"))
        for target in re.findall(rf"\b{TARGET}: *([\w.]+)", path.read_text(encoding="utf-8"))
    ]
    optimizers = [
        f"torch.optim.{name}"
        for name, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer)
    ]
    return frozenset((*named, *optimizers, *MORE))


def typed_targets(overrides: Iterable[str]) -> frozenset[str]:
    """The ``_target_`` names in the overrides of a command."""
    found = (re.findall(rf"{TARGET}['\"]?\s*[:=]\s*['\"]?([\w.]+)", o) for o in overrides)
    return frozenset(target for targets in found for target in targets)


def check_targets(config: Any, what: str, trust: bool, typed: Iterable[str] = ()) -> None:
    """Refuse a configuration that calls code which is neither wildsr's nor typed by the user.

    Args:
        config: plain containers.
        what: where it comes from, for messages.
        trust: allow any name.
        typed: names that the user gave, see :func:`typed_targets`.

    Raises:
        UserError: it lists the refused names.
    """
    own = known_targets() | frozenset(typed)
    strange = set()
    for node in _nodes(config):
        for word in CALLS:
            if word in node:
                raise UserError(f"{what} is refused: it holds `{word}`, which wildsr does not use.")
        if TARGET in node:
            target = node[TARGET]
            if not isinstance(target, str):
                raise UserError(f"{what} is refused: a `{TARGET}` is no name but {_short(target)}.")
            if target not in own:
                strange.add(target)
    if strange and not trust:
        few = ", ".join(_short(name) for name in sorted(strange)[:5])
        raise UserError(
            f"{what} names code that is not wildsr's: {few}{', ...' if len(strange) > 5 else ''}. "
            "Opening it would run that code; if you know it and whom it is from, add `trust=true`."
        )


def trusts(config: DictConfig) -> bool:
    """The value of ``trust`` in a verb's configuration.

    Raises:
        UserError: it is neither true nor false.
    """
    trust = config.trust
    if not isinstance(trust, bool):
        raise UserError(f"`trust` must be true or false, but got {trust!r}.")
    return trust


def _nodes(config: Any) -> Iterator[Mapping[Any, Any]]:
    """Every mapping in a configuration, itself included."""
    if isinstance(config, Mapping):
        yield config
    values = config.values() if isinstance(config, Mapping) else config
    if isinstance(config, Mapping | list | tuple):
        for value in values:
            yield from _nodes(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
