"""Copies of states: nested plain containers of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


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
