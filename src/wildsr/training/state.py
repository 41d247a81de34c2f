"""States of networks and optimisers as plain containers: copy, check, gather."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from wildsr.error import UserError, first_line

# Entries of optimiser states that have the shape of the weight.
MOMENTS = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "grad_avg"}


def copied(state: Any, device: torch.device | None = None) -> Any:
    """Copy nested containers of tensors (any shape) and plain values.

    Args:
        state: mappings, lists and tuples of tensors and plain values.
        device: where the copies go; None: each stays on its device.
    """
    if isinstance(state, Tensor):
        return state.detach().to(device or state.device, copy=True)
    if isinstance(state, Mapping):
        return {key: copied(value, device) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [copied(value, device) for value in state]
    return state


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
