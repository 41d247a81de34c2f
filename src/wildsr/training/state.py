"""The whole state of a training, for checkpoints: taken, checked, restored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from wildsr.error import UserError
from wildsr.network.weights import fill
from wildsr.training.copied import copied
from wildsr.training.module import Training
from wildsr.training.optimizer import check_optimizer

CPU = torch.device("cpu")
# What a checkpoint must have.
KEYS = ("iteration", "seconds", "networks", "ema", "optimizers", "pools", "stages", "settling")


def whole_state(training: Training) -> dict[str, Any]:
    """The whole training state for a checkpoint, on the CPU, as plain containers.

    Raises:
        UserError: a network is not finite; its state would replace a good one.
    """
    for name, network in training.networks.items():
        if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
            raise training.diverged(f"Network `{name}`")
    pools = [term.pool.state() for term in training.objective.terms]
    return {
        "iteration": training.iteration,
        "seconds": training.seconds,
        "networks": {
            name: copied(net.state_dict(), CPU) for name, net in training.networks.items()
        },
        "ema": {name: copied(net.state_dict(), CPU) for name, net in training.ema.networks.items()},
        "optimizers": {
            n: copied(o.state_dict(), CPU) for n, o in training.plain_optimizers().items()
        },
        "pools": gathered(pools),
        "stages": training.stages.state(),
        "settling": training.settling.state(),
        "guard": {} if training.guard is None else copied(training.guard.state(), CPU),
    }


def restore(training: Training, state: Mapping[str, Any]) -> None:
    """Continue from what :func:`whole_state` returned; call before the trainer's fit.

    Raises:
        UserError: the state is of other networks, optimisers, terms or stages, or damaged.
    """
    lacking = [key for key in KEYS if key not in state]
    if lacking:
        raise UserError(f"The checkpoint is damaged: it has no `{lacking[0]}`.")
    for name, net in training.networks.items():
        fill(net, state["networks"].get(name, {}), f"The checkpoint's network `{name}`")
    for name, net in training.ema.networks.items():
        fill(net, state["ema"].get(name, {}), f"The checkpoint's average of `{name}`")
    missing = [name for name in training.optimizer_names if name not in state["optimizers"]]
    if missing:
        raise UserError(f"The checkpoint has no optimiser state of {missing}.")
    for name in training.optimizer_names:
        parameters = list(training.networks[name].parameters())
        check_optimizer(name, training.make_optimizer[name], parameters, state["optimizers"][name])
    training.restored_optimizers = dict(state["optimizers"])
    ranks = state["pools"]
    rank = own_rank()
    if rank < len(ranks):
        if len(ranks[rank]) != len(training.objective.terms):
            raise UserError("The checkpoint has the pools of other terms.")
        for term, images in zip(training.objective.terms, ranks[rank], strict=True):
            term.pool.restore(images, CPU)
    training.stages.restore(state["stages"], state["iteration"])
    training.settling.restore(state["settling"])
    if training.guard is not None and state.get("guard"):
        training.guard.restore(state["guard"])
    training.iteration, training.seconds = state["iteration"], state["seconds"]


def own_rank() -> int:
    """The rank of this process in distributed training; 0 without."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def gathered(value: Any) -> list[Any]:
    """The value of every process, by rank."""
    if not torch.distributed.is_initialized():
        return [value]
    everyone: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, value)
    return everyone
