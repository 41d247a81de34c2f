"""Copies of a stage's networks, their optimisers and an average, to go back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


def copies(
    networks: Mapping[str, nn.Module], optimizers: Mapping[str, Any], average: nn.Module
) -> dict[str, Any]:
    """The present state of all of these, in plain containers."""
    return {
        "networks": {name: _copied(network.state_dict()) for name, network in networks.items()},
        "optimizers": {name: _copied(optimizers[name].state_dict()) for name in networks},
        "average": _copied(average.state_dict()),
    }


def go_back(
    state: Mapping[str, Any],
    networks: Mapping[str, nn.Module],
    optimizers: Mapping[str, Any],
    average: nn.Module,
) -> None:
    """Give all of these the state that :func:`copies` took."""
    for name, network in networks.items():
        network.load_state_dict(state["networks"][name])
        optimizers[name].load_state_dict(_copied(state["optimizers"][name]))
    average.load_state_dict(state["average"])


def _copied(state: Any) -> Any:
    """A copy of nested containers and tensors, each tensor where it is."""
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, Mapping):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [_copied(value) for value in state]
    return state
