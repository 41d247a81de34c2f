"""Choices from the groups of ``conf``: each is one of its group before Hydra reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from wildsr.config.override import Override
from wildsr.error import UserError, nearest, shortened

PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries conf inside the package; a checkout has it beside src.
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parents[1] / "conf"
# Groups of which several can be chosen.
LISTS = ("network/front", "loss", "experiment")


def checked_choices(typed: Sequence[Override]) -> tuple[str, ...]:
    """The overrides that choose from groups, as typed, each checked against its group.

    Hydra would read any YAML file to which a choice leads by a relative path, and resolve what it
    says; so this comes before it.

    Raises:
        UserError: a choice that the group does not have, several where one can be chosen, or a
            group that is to be left out.
    """
    groups = [override for override in typed if group_of(override) is not None]
    for override in groups:
        of = choices_of(group_of(override) or "")
        if override.sign == "~":
            raise UserError(f"`~{override.key}`: `{override.key}` must be one of {of}.")
        for item in _items(override.value or ""):
            if item not in of and item not in ("null", ""):
                raise UserError(_no_such_choice(override, item, of))
        nothing = _items(override.value or "") == [""] and group_of(override) == "loss"
        if _lists(override) and (nothing or group_of(override) not in LISTS):
            raise UserError(f"`{override.key}` must be one of {of}, but got {override.value}.")
    return tuple(override.typed for override in groups)


def group_of(override: Override) -> str | None:
    """The group that an override chooses from; None if it sets a value."""
    group = override.key.partition("@")[0]
    braces = (override.value or "").startswith("{")
    return group if choices_of(group) and not braces else None


def choices_of(group: str) -> list[str]:
    """What a group has; nothing for what is no group."""
    if not re.fullmatch(r"\w{1,50}(/\w{1,50})*", group):
        return []
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def _items(value: str) -> list[str]:
    """What is chosen: a name, or each of a list of names."""
    listed = re.fullmatch(r"\[(.*)\]", value.strip("'\" "), re.DOTALL)
    items = listed[1].split(",") if listed else [value]
    return [item.strip(" '\"") for item in items]


def _lists(override: Override) -> bool:
    return (override.value or "").strip("'\" ").startswith("[")


def _no_such_choice(override: Override, item: str, choices: Sequence[str]) -> str:
    of = "of" if _lists(override) else "one of"
    said = f"`{group_of(override)}` must be {of} {choices}, but got {shortened(item)}."
    return f"{said}{nearest(item, choices)}"
