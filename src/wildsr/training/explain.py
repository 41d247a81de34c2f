"""A dry run of a method's updates: what each computes; finds parts without effect."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildsr.config.updates import known
from wildsr.error import UserError
from wildsr.method.part import Method, network, optional, tensor
from wildsr.training.image_pool import ImagePool
from wildsr.training.objective import Objective, Update


@dataclass
class Explained:
    """A row of the table that ``explain=true`` prints."""

    update: str
    trains: list[str]
    terms: list[str]
    computed: list[str]
    constants: list[str]
    stage: str | None = None


def explain(
    objective: Objective, networks: Mapping[str, nn.Module], batch: Mapping[str, Tensor], scale: int
) -> list[Explained]:
    """Run one iteration of each stage on copies of the networks, without optimiser steps.

    Args:
        objective: the updates.
        networks: by name.
        batch: tensors (B, 3, H, W) by name, as ``given`` by the method.
        scale: HR size / LR size.

    Returns:
        What each update computed, a row for each.

    Raises:
        UserError: a network that is never trained, a term that trains nothing, an unused tensor.
    """
    method = objective.method
    _check_networks(objective, networks)
    copies = {name: copy.deepcopy(module) for name, module in networks.items()}
    rows = []
    with torch.random.fork_rng(), torch.enable_grad():
        for stage in objective.stages or (None,):
            step = method(copies, batch, scale)
            rows += [_carried_out(update, step, stage) for update in objective.due(stage)]
    used = {name.partition(".")[0] for t in objective.terms for name in t.tensors.values()}
    used |= {name for row in rows for name in (*row.computed, *row.constants)}
    used |= restored_from(method, copies, batch, scale)[1]
    for name in method.parts[tensor]:
        if name not in used and name not in method.parts[optional]:
            raise UserError(
                f"Tensor `{name}` of {method.__name__} is used by no term and not by `restored`."
            )
    return rows


def _carried_out(update: Update, step: Method, stage: str | None) -> Explained:
    step.begin(update.trains)
    step.events.clear()
    for term in update.terms:
        pool, term.pool = term.pool, ImagePool(term.pool.size)  # its own history stays as it is
        value, term.pool = term(step), pool
        if not value.requires_grad:  # all other networks are frozen
            raise UserError(
                f"Term `{term.name}` reaches none of the networks that its update "
                f"trains ({sorted(update.trains)}); it would train nothing."
            )
    computed = list(dict.fromkeys(n for event, n in step.events if event == "computed"))
    kept = dict.fromkeys(n for event, n in step.events if event == "kept")
    return Explained(
        update.name,
        sorted(update.trains),
        [term.name.split("/", 1)[1] for term in update.terms],
        computed,
        [name for name in kept if name not in computed],
        stage,
    )


def restored_from(
    method: type[Method], networks: Mapping[str, nn.Module], batch: Mapping[str, Tensor], scale: int
) -> tuple[set[str], set[str]]:
    """The names of the networks and of the tensors that ``restored`` depends on.

    Args:
        method: the class.
        networks: by name.
        batch: with ``real_lr`` (B, 3, H, W).
        scale: HR size / LR size.
    """
    step = method(networks, {"real_lr": batch["real_lr"]}, scale)
    with torch.random.fork_rng(), torch.no_grad(), step.sources() as sources:
        _ = step.restored  # type: ignore[attr-defined]
    return sources, {name for _, name in step.events}


def _check_networks(objective: Objective, networks: Mapping[str, nn.Module]) -> None:
    declared = objective.method.parts[network]
    missing = [name for name in declared if name not in networks]
    if missing:
        raise UserError(f"`method.networks` lacks {missing} of {objective.method.__name__}.")
    known("`method.networks`", networks, declared)
    trained = frozenset(name for update in objective.updates for name in update.trains)
    for name, module in networks.items():
        free = any(True for _ in module.parameters())
        if free and name not in trained | objective.frozen:
            raise UserError(
                f"Network `{name}` is trained by no update; add it to one's `trains`, "
                "or to `method.frozen` if that is meant."
            )
        if not free and name in trained:
            raise UserError(f"Network `{name}` is to be trained, but has no parameters.")


def explain_table(rows: list[Explained]) -> str:
    """Format the rows of :func:`explain` as a Markdown table, with a column for stages if any."""
    header = ["stage", "update", "trains", "terms", "tensors computed", "constants"]
    cells = [
        [r.stage or "", r.update, *map(", ".join, (r.trains, r.terms, r.computed, r.constants))]
        for r in rows
    ]
    if not any(row.stage for row in rows):
        header, cells = header[1:], [line[1:] for line in cells]
    widths = [max(len(line[i]) for line in [header, *cells]) for i in range(len(header))]
    lines = [header, ["-" * width for width in widths], *cells]
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )
