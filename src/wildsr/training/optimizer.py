"""The optimiser of a resumed training: its state of before, with the settings of now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from wildsr.error import UserError, first_line

# Entries of optimiser states that have the shape of the weight.
MOMENTS = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "grad_avg"}


def check_optimizer(
    name: str,
    make: Callable[[Any], torch.optim.Optimizer],
    parameters: list[nn.Parameter],
    state: Any,
) -> None:
    """Refuse the state of another optimiser, or of another network's.

    Args:
        name: of the network.
        make: its optimiser, as a function of the parameters.
        parameters: of the network.
        state: from a checkpoint.

    Raises:
        UserError: it does not fit.
    """
    try:
        trial = make(parameters)
        trial.load_state_dict(state)
        for parameter, values in trial.state.items():
            for key in values.keys() & MOMENTS:
                if isinstance(values[key], Tensor) and values[key].shape != parameter.shape:
                    raise UserError(f"its `{key}` is {tuple(values[key].shape)}")
    except Exception as error:  # a state of another optimiser can raise any type
        raise UserError(
            f"The checkpoint's optimiser state of `{name}` belongs to another optimiser: "
            f"{first_line(error)}."
        ) from error


def resume(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Load a state into an optimiser, which keeps the settings that it was made with.

    Args:
        optimizer: newly made; each group has its learning rate as ``initial_lr``, too.
        state: from a checkpoint.
    """
    chosen = [dict(group) for group in optimizer.param_groups]
    optimizer.load_state_dict(dict(state))
    for group, own in zip(optimizer.param_groups, chosen, strict=True):
        # The rate of a schedule goes on, unless another one was chosen.
        rate = group["lr"] if group["initial_lr"] == own["initial_lr"] else own["lr"]
        group |= {key: own[key] for key in _settings(optimizer)} | {"lr": rate}


def _settings(optimizer: torch.optim.Optimizer) -> set[str]:
    """What a configuration chooses of an optimiser; other entries of a group may be its state."""
    known = optimizer.param_groups[0].keys() - {"params"}
    if type(optimizer).__module__.startswith("torch.optim."):
        return known & {*optimizer.defaults, "initial_lr"}
    return known & {"lr", "initial_lr", "betas", "eps", "weight_decay", "momentum"}
