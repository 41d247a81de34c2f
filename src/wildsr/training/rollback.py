"""Copies of a stage's networks, optimisers and average, to roll back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from wildsr.training.copied import copied


def copies(
    networks: Mapping[str, nn.Module], optimizers: Mapping[str, Any], average: nn.Module
) -> dict[str, Any]:
    """Copy the present state of all of these into plain containers."""
    return {
        "networks": {name: copied(network.state_dict()) for name, network in networks.items()},
        "optimizers": {name: copied(optimizers[name].state_dict()) for name in networks},
        "average": copied(average.state_dict()),
    }


def go_back(
    state: Mapping[str, Any],
    networks: Mapping[str, nn.Module],
    optimizers: Mapping[str, Any],
    average: nn.Module,
) -> None:
    """Restore the state that :func:`copies` returned."""
    for name, network in networks.items():
        network.load_state_dict(state["networks"][name])
        optimizers[name].load_state_dict(copied(state["optimizers"][name]))
    average.load_state_dict(state["average"])
