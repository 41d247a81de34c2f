"""Seeds for the random numbers of one call."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from wildsr.error import UserError

MOST = 2**63 - 1  # that torch's generators take


@contextmanager
def drawn_from(seed: int | None) -> Iterator[None]:
    """Seed torch's generators within the block and restore their state afterwards.

    Args:
        seed: the seed; None leaves the generators as they are.

    Raises:
        UserError: ``seed`` is not an integer of 0 to ``MOST``.
    """
    if seed is None:
        yield
        return
    try:
        number = None if isinstance(seed, bool) else operator.index(seed)
    except TypeError:
        number = None
    if number is None or not 0 <= number <= MOST:
        raise UserError(f"Argument `seed` must be an integer of 0 to {MOST}, but got {seed!r}.")
    with torch.random.fork_rng():
        torch.manual_seed(number)
        yield
