"""Value ranges: which values of each band of a file a network sees as 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from wildsr.error import UserError
from wildsr.photo.raster.base import Page, Range, Raster, Values

Wish = Range | Literal["auto", "window"] | None
SHARE = 0.1, 99.9  # percentiles of "auto"
SAMPLES = 1 << 20  # values of a band, over all pages of a channel, for the percentiles
FEWEST = 256  # values of a page at least
BAND = 1 << 20  # pixels that are read at once
BY_TYPE = (np.uint8, np.uint16)  # types whose full range is taken; others by percentiles


@dataclass
class Survey:
    """Statistics of the values of a channel's bands.

    Attributes:
        low, high: (bands,): the extremes, or the percentiles 0.1 and 99.9 if outliers lie far away.
        odd: fraction of the values that are NaN or infinite.
    """

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    odd: float


def check_wish(wish: object) -> Wish:
    """Check the argument ``range`` and convert its numbers to floats.

    Raises:
        UserError: it is none of null, "auto", "window" and two increasing numbers.
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
    """Which values were measured: finite, and not their band's nodata value.

    Args:
        values: (..., bands).
        missing: for each band its nodata value, or None.

    Returns:
        Booleans of the shape of ``values``.
    """
    found: npt.NDArray[np.bool_] = (
        np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
    )
    for band, value in enumerate(missing):
        if value is not None and np.isfinite(value):
            found[..., band] &= values[..., band] != value
    return found


def survey(raster: Raster, pages: list[int]) -> Survey:
    """Read pages of one channel and compute the statistics of their bands.

    Args:
        raster: the file; the pages are read once.
        pages: numbers of pages with equally many bands.
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
    """The full range of an integer type, or the range that the file declares."""
    if stated is not None:
        return stated
    if page.dtype.kind == "b":
        return 0.0, 1.0
    return (0.0, 1.0) if page.dtype.kind == "f" else (0.0, float(np.iinfo(page.dtype).max))


def is_by_type(page: Page, stated: Range | None) -> bool:
    """Whether a page's range is known without reading its values."""
    return stated is not None or page.dtype.kind == "b" or page.dtype.type in BY_TYPE


def ranges(
    raster: Raster, pages: list[int], wish: Wish
) -> tuple[dict[int, tuple[Values, Values]], float]:
    """Choose for each band the values that a network sees as 0 and 1.

    Unsigned 8 and 16 bits: the type's full range, or the one that the file declares (12 bits, say).
    All others: for each band, over all pages of a channel, the extremes, or the percentiles 0.1 and
    99.9 if the extremes are more than twice as far apart. Red, green and blue share one range.

    Args:
        raster: the file.
        pages: numbers of the pages to upscale.
        wish: a range for all, "auto" for percentiles whatever the type, "window" for the file's
            display window, None for the rule above.

    Returns:
        {page: (lows, highs)}, (bands,) each, and the fraction of values that are NaN or infinite,
        which is measured for floats only.

    Raises:
        UserError: "window" for a file without one.
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
