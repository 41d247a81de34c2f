"""Checks that arguments and configuration keys share: integers and scales."""

from __future__ import annotations

from wildsr.error import UserError, shortened

_FACTORS = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}
SCALES = tuple(_FACTORS)


def check_integer(
    named: str,
    value: object,
    least: int,
    most: int | None = None,
    *,
    odd: bool = False,
    null: bool = False,
) -> None:
    """Refuse what is not an integer of a range; true and false are none.

    Args:
        named: what the user calls it, as the sentence begins: "Argument `size`", "`tile`".
        value: what was given.
        least: the smallest that it may be.
        most: the largest; None for any.
        odd: only odd ones.
        null: None as well.

    Raises:
        UserError: naming the argument, what it may be, and the value.
    """
    if value is None and null:
        return
    if isinstance(value, int) and not isinstance(value, bool):
        within = value >= least and (most is None or value <= most)
        if within and (value % 2 == 1 or not odd):
            return
    kind = "an odd integer" if odd else "an integer"
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    either = " or null" if null else ""
    raise UserError(f"{named} must be {kind} {bounds}{either}, but got {shortened(value)}.")


def check_counts(**counts: int) -> None:
    """Refuse counts (of features, blocks, ...) that are not integers of at least 1.

    Raises:
        UserError: naming the first argument that is not.
    """
    for name, value in counts.items():
        check_integer(f"Argument `{name}`", value, 1)


def check_scale(named: str, value: object) -> None:
    """Refuse a factor between LR and HR for which there are no networks.

    Args:
        named: what the user calls it, as the sentence begins: "Argument `scale`", "`scale`".
        value: what was given.

    Raises:
        UserError: a scale other than 1, 2, 3, 4 or 8.
    """
    if isinstance(value, bool) or value not in SCALES:
        raise UserError(f"{named} must be one of {list(SCALES)}, but got {value!r}.")


def shuffle_factors(scale: int) -> tuple[int, ...]:
    """The pixel shuffles that a scale is made of: 8 is three times 2, 1 needs none.

    Raises:
        UserError: a scale other than 1, 2, 3, 4 or 8.
    """
    check_scale("Argument `scale`", scale)
    return _FACTORS[scale]
