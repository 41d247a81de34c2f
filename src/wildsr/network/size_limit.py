"""Limit the memory that building a network may take, when its sizes come from a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from wildsr.error import UserError

SPARE = 256 << 20  # bytes allowed beside the weights: kernels, masks, temporaries
TENSORS = 2_000  # tensors allowed beside the weights
EACH = 16  # tensors allowed for each of the weights
_BYTES = 8  # of the largest number type


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
    """Within the block, refuse allocations far beyond the size of the given weights.

    Args:
        weights: tensors of any shape that the network will be filled with.
        what: the file or folder, as errors call it.

    Raises:
        UserError: before a tensor that exceeds the limit is allocated.
    """
    sizes = [value.numel() * _BYTES for value in weights]
    with _Limit(2 * sum(sizes) + SPARE, EACH * len(sizes) + TENSORS, what):
        yield
