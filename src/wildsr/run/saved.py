"""The overrides with which a run was started, as its folder stores them; read without torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from wildsr.config.plain import read_json
from wildsr.error import UserError

OVERRIDES = "overrides.json"  # in a run's folder
TYPED = "typed.json"  # those of them that were typed, in the first command
# Valid for one command only: a run must not declare itself trusted.
NEVER_SAVED = ("resume", "explain", "trust", "degradation.trust")


def chooses_metrics(overrides: Iterable[str]) -> bool:
    """Whether any of what was typed is about ``metric``."""
    return any(override_key(typed).split(".")[0] == "metric" for typed in overrides)


def override_key(override: str) -> str:
    """The key of ``key=value``, without Hydra's ``+`` and ``~``."""
    return override.split("=", 1)[0].lstrip("+~")


def overrides_of(folder: Path) -> list[str]:
    """The overrides with which the run in ``folder`` was started.

    Raises:
        UserError: it is not a run folder.
    """
    if not folder.exists():
        raise UserError(f"The run folder {folder} does not exist.")
    path = folder / OVERRIDES
    if not path.exists():
        raise UserError(f"The run folder {folder} is not a run folder (no overrides.json).")
    try:
        saved = read_json(path)
    except UserError as error:
        raise UserError(f"The run folder {folder} is not a run folder: {error}") from error
    if not (isinstance(saved, list) and all(isinstance(one, str) for one in saved)):
        raise UserError(
            f"The run folder {folder} is not a run folder: {path} holds no list of what was typed."
        )
    return [one for one in saved if override_key(one) not in NEVER_SAVED]


def typed_of(folder: Path) -> list[str]:
    """What was typed when the run in ``folder`` was started: without what was derived from photos.

    Raises:
        UserError: it is not a run folder.
    """
    saved = overrides_of(folder)
    path = folder / TYPED
    if not path.exists():  # of an earlier version
        return saved
    typed = read_json(path)
    sound = isinstance(typed, list) and all(isinstance(one, str) for one in typed)
    return [str(one) for one in typed] if sound else saved


def check_overrides(saved: list[str], what: str, trust: bool) -> None:
    """Refuse saved overrides that set or read more than wildsr's configuration.

    Args:
        saved: the overrides.
        what: the run, for the message.
        trust: accept them all.

    Raises:
        UserError: an override sets Hydra itself or calls a resolver; the message names the first.
    """
    for one in saved:
        reaches = override_key(one).split(".")[0].split("/")[0] == "hydra"
        if (reaches or re.search(r"\$\{[^}]*:", one)) and not trust:
            raise UserError(
                f"{what} was started with {one[:100]!r}, which reads or sets more than wildsr's "
                "own keys; if you know whom it is from, add `trust=true`."
            )
