"""States of networks and optimisers as plain containers: copied, checked, gathered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from wildsr.error import UserError, first_line

# What optimisers keep of each weight, in its shape.
MOMENTS = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "grad_avg"}


def copied(state: Any, device: torch.device | None = None) -> Any:
    """A copy of nested containers and tensors.

    Args:
        state: mappings, lists and tuples of tensors and plain values.
        device: where the tensors go; None for where each is.
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
        make: its optimiser, a function of the parameters.
        parameters: of the network.
        state: of a checkpoint.

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
    except Exception as error:  # whatever it makes of a state that is not its own
        raise UserError(
            f"The checkpoint's optimiser state of `{name}` belongs to another optimiser: "
            f"{first_line(error)}."
        ) from error


def own_rank() -> int:
    """Of this process among those that train together; 0 where it is alone."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def gathered(value: Any) -> list[Any]:
    """The value of every process, by rank."""
    if not torch.distributed.is_initialized():
        return [value]
    everyone: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, value)
    return everyone
