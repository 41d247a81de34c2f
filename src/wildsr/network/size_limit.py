"""Limit what building a network may allocate, for sizes that come from a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from wildsr.error import UserError

SPARE = 256 << 20  # bytes, beside what the weights take: kernels, masks, numbers on the way
TENSORS = 2_000  # likewise
EACH = 16  # tensors that are made for each of the weights, at most
_BYTES = 8  # of a number, at most


class _Limit(TorchDispatchMode):
    """Adds up what is allocated; a size is looked at before its tensor is made."""

    def __init__(self, most: int, tensors: int, what: str) -> None:
        super().__init__()
        self.left, self.tensors, self.what = most, tensors, what

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Carry out the operation if there is room for what it makes."""
        named = [argument.name for argument in function._schema.arguments]
        sized = "size" in named and named.index("size") < len(args)
        if sized and all(returned.alias_info is None for returned in function._schema.returns):
            size = args[named.index("size")]
            dtype = (kwargs or {}).get("dtype") or torch.get_default_dtype()
            self._take(math.prod(size) * dtype.itemsize)
            return function(*args, **(kwargs or {}))
        made = function(*args, **(kwargs or {}))
        returns = made if isinstance(made, tuple | list) else (made,)
        fresh = [r.alias_info is None for r in function._schema.returns]
        for one, new in zip(returns, fresh, strict=False):
            if new and isinstance(one, Tensor) and one.device.type != "meta":
                self._take(one.numel() * one.element_size())
        return made

    def _take(self, size: int) -> None:
        self.left -= size
        self.tensors -= 1
        if self.left < 0 or self.tensors < 0:
            raise UserError(
                f"{self.what} is refused: it describes a network far larger than its weights."
            )


@contextmanager
def size_limit(weights: Iterable[Tensor], what: str) -> Iterator[None]:
    """Refuse allocations in the block beyond what weights of this size account for.

    Args:
        weights: those that the networks are to get.
        what: the file or folder, for people.

    Raises:
        UserError: before a tensor is made that would exceed it.
    """
    sizes = [value.numel() * _BYTES for value in weights]
    with _Limit(2 * sum(sizes) + SPARE, EACH * len(sizes) + TENSORS, what):
        yield
