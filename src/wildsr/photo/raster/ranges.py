"""Which values a network sees as 0 and 1: the range of each band of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from wildsr.error import UserError
from wildsr.photo.raster.base import Page, Range, Raster, Values

Wish = Range | Literal["auto", "window"] | None
SHARE = 0.1, 99.9  # percentiles of "auto"
SAMPLES = 1 << 20  # values of a band, over all pages of a channel, that these are taken of
FEWEST = 256  # of a page
BAND = 1 << 20  # pixels that are looked at at once
BY_TYPE = (np.uint8, np.uint16)  # whose range is that of the type; others by percentiles


@dataclass
class Survey:
    """What the values of a channel's bands are.

    Attributes:
        low, high: percentiles of each band, or the extremes where these are not far away.
        odd: the share of values that are NaN or infinite.
    """

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    odd: float


def check_wish(wish: object) -> Wish:
    """The argument ``range`` as it is used.

    Raises:
        UserError: it is none of null, "auto", "window" and two rising numbers.
    """
    if wish is None or wish in ("auto", "window"):
        return wish
    try:
        low, high = (float(value) for value in wish)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        low, high = 1.0, 0.0
    if isinstance(wish, str) or not (np.isfinite([low, high]).all() and low < high):
        raise UserError(
            f"Argument `range` must be [low, high], auto, window or null, but got {wish!r}."
        )
    return low, high


def valid(values: Values, missing: list[float | None]) -> npt.NDArray[np.bool_]:
    """Which values were measured: finite, and not their band's value for "not measured"."""
    found: npt.NDArray[np.bool_] = (
        np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
    )
    for band, value in enumerate(missing):
        if value is not None and np.isfinite(value):
            found[..., band] &= values[..., band] != value
    return found


def survey(raster: Raster, pages: list[int]) -> Survey:
    """Read pages of one channel and tell what their bands' values are.

    Args:
        raster: the file; read once.
        pages: of as many bands each.
    """
    each = max(SAMPLES // len(pages), FEWEST)
    bands = raster.pages[pages[0]].bands
    kept: list[list[Any]] = [[] for _ in range(bands)]
    least, most = np.full(bands, np.inf), np.full(bands, -np.inf)
    odd = count = 0
    for number in pages:
        rows, missing = raster.rows(number), raster.missing(number)
        step = max(BAND // rows.width, 1)
        stride = max(rows.height * rows.width // each, 1)
        first = 0
        for top in range(0, rows.height, step):
            values = rows.read(min(step, rows.height - top)).reshape(-1, bands)
            there = valid(values, missing)
            if values.dtype.kind == "f":
                odd += int(values.size - np.isfinite(values).sum())
            count += values.size
            for band in range(bands):
                one = values[:, band]
                one = one if there[:, band].all() else one[there[:, band]]
                if one.size:
                    least[band] = min(least[band], one.min())
                    most[band] = max(most[band], one.max())
            picked = slice(first, None, stride)
            for band in range(bands):
                kept[band].append(values[picked, band][there[picked, band]].astype(np.float64))
            first = (first - len(values)) % stride
        rows.close()
    low, high = least.copy(), most.copy()
    for band, parts in enumerate(kept):
        together = np.concatenate(parts)
        if together.size:
            a, b = np.percentile(together, SHARE)
            if most[band] - least[band] > 2 * (b - a) > 0:  # a few values are far from the others
                low[band], high[band] = a, b
    nothing = ~np.isfinite(low)
    low[nothing], high[nothing] = 0, 1
    return Survey(low, high, odd / max(count, 1))


def of_type(page: Page, stated: Range | None) -> Range:
    """The range of whole numbers, or what the file states."""
    if stated is not None:
        return stated
    if page.dtype.kind == "b":
        return 0.0, 1.0
    return (0.0, 1.0) if page.dtype.kind == "f" else (0.0, float(np.iinfo(page.dtype).max))


def is_by_type(page: Page, stated: Range | None) -> bool:
    """Whether a page's range is known without its values."""
    return stated is not None or page.dtype.kind == "b" or page.dtype.type in BY_TYPE


def ranges(
    raster: Raster, pages: list[int], wish: Wish
) -> tuple[dict[int, tuple[Values, Values]], float]:
    """The lowest and highest value of each band that a network sees as 0 and 1.

    8 and 16 bits without sign: those of the type, or what the file states (12 bits, say). All
    others: of each band, over all pages of a channel, the extremes, or the percentiles 0.1 and 99.9
    where the extremes are more than twice as far apart. Red, green and blue share theirs.

    Args:
        raster: the file.
        pages: numbers of those that are wanted.
        wish: a range for all, "auto" for the percentiles of any type, "window" for that which the
            file is to be shown in, None for the above.

    Returns:
        {page: (lows, highs)}, and the share of values that are NaN or infinite, which is known
        of floats only.

    Raises:
        UserError: "window" of a file without one.
    """
    found: dict[int, tuple[Values, Values]] = {}
    groups: dict[object, list[int]] = {}
    for number in pages:
        page = raster.pages[number]
        groups.setdefault((page.channel, page.bands, page.dtype, page.colour), []).append(number)
    odd = 0.0
    for numbers in groups.values():
        page = raster.pages[numbers[0]]
        known = wish is None and is_by_type(page, raster.stated)
        looked = None
        if page.dtype.kind == "f" or (not known and wish in (None, "auto")):
            looked = survey(raster, numbers)
            odd = max(odd, looked.odd)
        for number in numbers:
            found[number] = _range(raster, number, wish, known, looked)
    return found, odd


def _range(
    raster: Raster, number: int, wish: Wish, known: bool, looked: Survey | None
) -> tuple[Values, Values]:
    page = raster.pages[number]
    if isinstance(wish, tuple):
        low, high = np.full(page.bands, wish[0]), np.full(page.bands, wish[1])
    elif wish == "window":
        window = raster.shown(number)
        if window is None:
            raise UserError(f"Argument `range` is window, but {raster.path} states none.")
        low, high = np.full(page.bands, window[0]), np.full(page.bands, window[1])
    elif known or looked is None:
        whole = of_type(page, raster.stated)
        low, high = np.full(page.bands, whole[0]), np.full(page.bands, whole[1])
    else:
        low, high = looked.low.copy(), looked.high.copy()
        colour = list(page.colour)
        if colour:
            low[colour], high[colour] = low[colour].min(), high[colour].max()
    if page.alpha is not None:
        low[page.alpha], high[page.alpha] = of_type(page, None)
    same = high <= low
    high[same] = low[same] + 1
    return low.astype(np.float64), high.astype(np.float64)
