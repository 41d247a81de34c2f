"""Checks that the constructors of several networks share."""

from __future__ import annotations

from wildsr.error import UserError

_FACTORS = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}


def shuffle_factors(scale: int) -> tuple[int, ...]:
    """The pixel shuffles that a scale is made of: 8 is three times 2, 1 needs none.

    Raises:
        UserError: a scale other than 1, 2, 3, 4 or 8.
    """
    if scale not in _FACTORS:
        raise UserError(f"Argument `scale` must be one of {list(_FACTORS)}, but got {scale!r}.")
    return _FACTORS[scale]


def check_counts(**counts: int) -> None:
    """Refuse counts (of features, blocks, ...) that are not integers of at least 1.

    Raises:
        UserError: naming the first argument that is not.
    """
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UserError(
                f"Argument `{name}` must be an integer of at least 1, but got {value!r}."
            )
