"""Seeds for the random numbers of one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from wildsr.error import UserError


@contextmanager
def drawn_from(seed: int | None) -> Iterator[None]:
    """Seed torch's generators within the block and restore their state afterwards.

    Args:
        seed: the seed; None leaves the generators as they are.

    Raises:
        UserError: ``seed`` is not an integer of at least 0.
    """
    if seed is None:
        yield
        return
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f"Argument `seed` must be an integer of at least 0, but got {seed!r}.")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
