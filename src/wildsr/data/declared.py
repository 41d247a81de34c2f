"""Check what a user states about the photos' channels, depth and range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wildsr.error import UserError

DEPTHS = ("8", "16", "float")


def check_kind(channels: Any, depth: Any, span: Any, of_hr: Any, bands: Any) -> None:
    """Refuse an invalid number of channels, depth, range of values or choice of bands.

    Raises:
        UserError: naming the key and its allowed values.
    """
    whole = isinstance(channels, int) and not isinstance(channels, bool)
    if channels != "auto" and not (whole and 1 <= channels <= 1024):
        raise UserError(
            "Argument `data.channels` must be auto or a number from 1 to 1024, but got "
            f"{channels!r}."
        )
    if str(depth) not in ("auto", *DEPTHS):
        raise UserError(
            f"Argument `data.depth` must be one of ['auto', 8, 16, 'float'], but got {depth!r}."
        )
    for name, value in {"range": span, "range_hr": span if of_hr is None else of_hr}.items():
        if value not in ("auto", "type") and not _is_range(value):
            raise UserError(
                f"Argument `data.{name}` must be auto, type or [low, high], but got {value!r}."
            )
    if bands is not None:
        numbers = list(bands) if isinstance(bands, Sequence) and not isinstance(bands, str) else []
        good = len(numbers) == 3 and all(isinstance(n, int) and n >= 0 for n in numbers)
        if not good or (whole and max(numbers) >= channels):
            raise UserError(
                "Argument `data.bands` must be null or the numbers of three channels, from 0 on, "
                f"but got {bands!r}."
            )


def _is_range(value: Any) -> bool:
    listed = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
    numbers = listed and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    return bool(numbers and value[0] < value[1])
