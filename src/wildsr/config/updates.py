"""Check a method's updates and stages, without importing torch."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from wildsr.argument import check_integer
from wildsr.error import UserError, nearest, unknown

PARTS = ("trains", "terms", "every", "clip", "stages")  # of an update


def check_method(config: DictConfig) -> None:
    """Refuse invalid updates and stages of ``train``'s method.

    Args:
        config: of ``train``, composed.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    method: Any = OmegaConf.to_container(config.method, resolve=True)
    stages = stages_of(method.get("stages"), config.iterations)
    networks = named_values("`method.networks`", method.get("networks"))
    updates = named_values("`method.updates`", method.get("updates"))
    for name, spec in updates.items():
        if spec is None:  # an update that was switched off
            continue
        if isinstance(spec, dict) and "trains" not in spec:
            others = [n for n, one in updates.items() if isinstance(one, dict) and "trains" in one]
            raise UserError(
                f"There is no update `{name}` in `method.updates`; a new one needs `trains`."
                f"{nearest(name, others)}"
            )
        terms = check_update(name, spec, networks, stages)
        for key, term in terms.items():
            chosen = named_values(f"Term `{name}/{key}`", term).get("loss")
            if chosen is None:
                raise UserError(_no_such_term(name, key, terms))
            if chosen not in config.loss:
                raise unknown(f"Term `{name}/{key}`: loss", chosen, config.loss)
            check_term(f"Term `{name}/{key}`", term)


def _no_such_term(update: str, key: str, terms: Mapping[str, Any]) -> str:
    others = [name for name, term in terms.items() if isinstance(term, dict) and "loss" in term]
    return (
        f"There is no term `{key}` in `method.updates.{update}.terms`; a new one needs `loss`."
        f"{nearest(key, others)}"
    )


def check_update(
    name: str, spec: object, networks: Collection[str], stages: Collection[str]
) -> dict[str, Any]:
    """Check an update and return its terms, without those that are switched off.

    Args:
        name: of the update.
        spec: its configuration.
        networks: of the method, which it may train.
        stages: names of the method's stages.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    where = f"`method.updates.{name}`"
    update = named_values(where, spec)
    known(where, update, PARTS)
    trains = update.get("trains") or []
    terms = named_values(f"{where}.terms", update.get("terms") or {})
    terms = {key: value for key, value in terms.items() if value is not None}
    if not trains or not terms:
        raise UserError(f"{where} needs `trains` (networks) and `terms` (losses), got {update}.")
    if isinstance(trains, str) or not isinstance(trains, Collection):
        raise UserError(f"{where}.trains must be a list of networks, but got {trains!r}.")
    known(f"{where}.trains", trains, networks)
    check_integer(f"{where}.every", update.get("every", 1), 1)
    clip = update.get("clip")
    if clip is not None and not (_number(clip) and clip > 0):
        raise UserError(f"{where}.clip must be a positive number or null, but got {clip!r}.")
    during = stage_names(update) or []
    if not isinstance(during, list):
        raise UserError(f"{where}.stages must be a list of stages, but got {during!r}.")
    known(f"{where}.stages", during, stages)
    return terms


def stage_names(update: Mapping[str, Any]) -> list[str] | None:
    """The stages in which an update runs; None for all."""
    during = update.get("stages")
    return [during] if isinstance(during, str) else during


def check_term(where: str, spec: Mapping[str, Any]) -> None:
    """Refuse a term with a weight that is not finite, or a negative or fractional pool or ramp.

    Raises:
        UserError: it names the term and the value.
    """
    weight = spec.get("weight", 1.0)
    if not _number(weight):
        raise UserError(f"{where}: weight must be a finite number, but got {weight!r}.")
    for count in ("pool", "ramp"):
        check_integer(f"{where}: {count}", spec.get(count, 0), 0)


StageSpec = tuple[float, str | None, dict[str, str]]


def stages_of(spec: object, iterations: int) -> dict[str, StageSpec]:
    """Check stages and return (share, network that may end it early, networks it starts) of each.

    Args:
        spec: ``method.stages``: name -> share, or {share, until_settled, starts}; None for a method
            without stages.
        iterations: of the run, at least one for each stage.

    Raises:
        UserError: a share that is not a positive number, an unknown key; fewer iterations than
            stages.
    """
    if spec is not None and not isinstance(spec, Mapping):
        raise UserError(f"`method.stages` must be names with shares, but got {spec!r}.")
    found = {str(name): _share(str(name), one) for name, one in (spec or {}).items()}
    if iterations < len(found):
        raise UserError(
            f"`iterations` must be at least {len(found)}, one for each of the stages "
            f"{list(found)}, but got {iterations!r}."
        )
    return found


def _share(name: str, spec: Any) -> StageSpec:
    stage = dict(spec) if isinstance(spec, Mapping) else {"share": spec}
    share, settled = stage.pop("share", None), stage.pop("until_settled", None)
    starts = stage.pop("starts", None) or {}
    if stage:
        raise UserError(
            f"`method.stages.{name}` must be a share, or have `share`, `until_settled` and "
            f"`starts`, but has {sorted(stage)}."
        )
    if not isinstance(starts, Mapping):
        raise UserError(
            f"`method.stages.{name}.starts` must map a network to the one that it starts from, but "
            f"got {starts!r}."
        )
    if not (_number(share) and share > 0):
        raise UserError(
            f"`method.stages.{name}` must be a positive share of the iterations, but got {share!r}."
        )
    return float(share), settled, dict(starts)


def named_values(where: str, value: object) -> dict[str, Any]:
    """Convert a mapping of the configuration to a dictionary.

    Raises:
        UserError: it is a value or a list.
    """
    if not isinstance(value, Mapping):
        raise UserError(f"{where} must be names with values, but got {value!r}.")
    return dict(value)


def known(where: str, names: Iterable[str], choices: Iterable[str]) -> None:
    """Refuse the first of ``names`` that is not among ``choices``.

    Raises:
        UserError: it suggests the nearest valid name.
    """
    choices = list(choices)
    for name in names:
        if name not in choices:
            raise unknown(where, name, choices)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
