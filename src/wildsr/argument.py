"""Checks that arguments and configuration keys share: integers, scales, device names."""

from __future__ import annotations

from wildsr.error import UserError, shortened, unknown

_FACTORS = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}
SCALES = tuple(_FACTORS)
DEVICES = ("auto", "cpu", "cuda", "cuda:N", "mps")


def check_integer(
    named: str,
    value: object,
    least: int,
    most: int | None = None,
    *,
    odd: bool = False,
    null: bool = False,
) -> None:
    """Refuse a value that is not an integer in a range; booleans are refused too.

    Args:
        named: the argument's name as the message begins: "Argument `size`", "`tile`".
        value: the value that was given.
        least: the smallest allowed.
        most: the largest allowed; None for no limit.
        odd: allow only odd integers.
        null: allow None.

    Raises:
        UserError: it names the argument, the allowed values, and the value.
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
        UserError: it names the first such argument.
    """
    for name, value in counts.items():
        check_integer(f"Argument `{name}`", value, 1)


def check_scale(named: str, value: object) -> None:
    """Refuse a factor between LR and HR for which there are no networks.

    Args:
        named: the argument's name as the message begins: "Argument `scale`", "`scale`".
        value: the value that was given.

    Raises:
        UserError: a scale other than 1, 2, 3, 4 or 8.
    """
    if isinstance(value, bool) or value not in SCALES:
        raise UserError(f"{named} must be one of {list(SCALES)}, but got {shortened(value)}.")


def check_device(named: str, value: object) -> None:
    """Refuse a string that does not name a device; whether this machine has it is not checked.

    Args:
        named: the argument's name as the message begins: "Argument `device`", "`device`".
        value: "auto", "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        UserError: anything else.
    """
    name, colon, number = value.partition(":") if isinstance(value, str) else ("", "", "")
    numbered = name == "cuda" and number.isdecimal()
    if name not in DEVICES or (colon and not numbered):
        raise unknown(named, value, DEVICES)


def shuffle_factors(scale: int) -> tuple[int, ...]:
    """The factors of the pixel shuffles that make up a scale: (2, 2, 2) for 8, none for 1.

    Raises:
        UserError: a scale other than 1, 2, 3, 4 or 8.
    """
    check_scale("Argument `scale`", scale)
    return _FACTORS[scale]
