"""Random numbers of one call: of a seed, or of torch's own generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from wildsr.error import UserError


@contextmanager
def drawn_from(seed: int | None) -> Iterator[None]:
    """Within, torch draws from ``seed``, and afterwards as if nothing was; None changes nothing.

    Raises:
        UserError: a seed that is no integer from 0 on.
    """
    if seed is None:
        yield
        return
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f"Argument `seed` must be an integer of at least 0, but got {seed!r}.")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
