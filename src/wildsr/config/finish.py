"""Add the block ``finish`` of a training's configuration to its method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wildsr.error import UserError, unknown

# As in wildsr.method.finishing, which imports torch; tests/config/test_finish.py compares.
FAITHFUL, FINISHED, STAGE = "upscale", "finished", "finish"
SHARPEN = "sharpen"  # the update that trains the finished network
LEARN = "learn"  # the stage of a method without stages before the finish
PARTS = ("networks", "optimizers", "schedules", "updates")


def with_finish(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Make the finish of a training a stage of its method.

    The network ``finished`` gets the architecture of ``upscale``. The terms in ``method.finish``
    are added to those of the update ``sharpen``. The finish takes its share of the iterations from
    the stages before it, whose ratios stay; a method without stages gets one, ``learn``. Updates
    that name no stage run in all stages that the method had.

    Args:
        plain: configuration of ``train``, without references. ``finish.kind`` "none" changes
            nothing, and a run too short for one iteration of the finish has none.

    Returns:
        The changed configuration.

    Raises:
        UserError: an invalid share or anchor, a name that the method has already, a method without
            the network ``upscale``.
    """
    config = dict(plain)
    finish, method = dict(config.get("finish") or {}), dict(config["method"])
    own = method.pop("finish", None) or {}
    if not isinstance(own, Mapping):
        raise UserError(f"`method.finish` must be terms by name, but got {own!r}.")
    config["method"] = method
    kind = finish.get("kind", "none")
    if kind == "none":
        return config
    if kind != "gan":
        raise unknown("`finish.kind`", kind, ("gan", "none"))
    share = finish.get("share")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise UserError(f"`finish.share` must be a number between 0 and 1, but got {share!r}.")
    anchor = finish.get("anchor", 0)
    if isinstance(anchor, bool) or not isinstance(anchor, int | float) or not 0 <= anchor < 1:
        raise UserError(f"`finish.anchor` must be a number from 0 to below 1, but got {anchor!r}.")
    shaped = (method.get("networks"), method.get("updates"), method.get("stages") or {})
    whole = isinstance(config["iterations"], int) and all(isinstance(m, Mapping) for m in shaped)
    if not whole or round(share * config["iterations"]) < 1:
        return config  # invalid values are refused where they are used
    if FAITHFUL not in method["networks"]:
        raise UserError(f"`finish` needs a method with a network `{FAITHFUL}`: use finish=none.")
    stages = (method.get("stages") or {LEARN: 1}).items()
    before = {name: spec for name, stage in stages if (spec := _spec(stage)) is not None}
    if len(before) < len(stages):
        return config
    total = sum(stage["share"] for stage in before.values())
    last = {"share": total * share / (1 - share), "starts": {FINISHED: FAITHFUL}}
    made = {
        **method,
        "finish": {"guard": finish.get("guard") or {}, "anchor": anchor},
        "stages": {**before, STAGE: last},
        "updates": {
            name: {**update, "stages": list(before)}
            if isinstance(update, Mapping) and update.get("stages") is None
            else update
            for name, update in method["updates"].items()
        },
    }
    for part in PARTS:
        if not isinstance(made[part], Mapping):
            raise UserError(f"`method.{part}` must be names with values, but got {made[part]!r}.")
        if not isinstance(finish.get(part) or {}, Mapping):
            raise UserError(f"`finish.{part}` must be names with values, got {finish[part]!r}.")
        for name, node in (finish.get(part) or {}).items():
            if name in made[part]:
                raise UserError(f"`finish.{part}.{name}`: the method has a `{name}` already.")
            if part == "updates" and isinstance(node, Mapping):
                node = {**node, "stages": [STAGE]}
                if name == SHARPEN and isinstance(node.get("terms"), Mapping):
                    node["terms"] = {**node["terms"], **own}
            made[part] = {**made[part], name: node}
    made["networks"] = {**made["networks"], FINISHED: method["networks"][FAITHFUL]}
    return {**config, "method": made}


def _spec(stage: Any) -> dict[str, Any] | None:
    """A stage as names with values; None for what is none."""
    spec = dict(stage) if isinstance(stage, Mapping) else {"share": stage}
    share = spec.get("share")
    return spec if isinstance(share, int | float) and not isinstance(share, bool) else None
