"""Upscale files of measured values (TIFF, DICOM, ...): every page and band, in its own units."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wildsr.atomic import Partial
from wildsr.error import UserError, first_line, unknown
from wildsr.inference.bands import FLOAT, Look, Strip, Strips, upscaled
from wildsr.inference.raster_plan import chosen_pages, group, kept_bands, look_at, result_page
from wildsr.inference.resample import resized
from wildsr.inference.settings import Settings
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.encode import FORMATS
from wildsr.photo.folder import say_once
from wildsr.photo.raster.base import Page, Plan, Range, Raster, Values, Writer
from wildsr.photo.raster.ranges import of_type, ranges
from wildsr.photo.raster.write import check_fits, writer_for
from wildsr.photo.sensor import Sensor
from wildsr.photo.unreadable import readable


class Planned:
    """The data type of the result as :mod:`wildsr.inference.job` asks for it: float32."""

    dtype = FLOAT  # single precision


class RasterUpscaling:
    """The upscaling of a file of measured values in progress, computed and written strip by strip.

    Args:
        raster: the file.
        target: the result; appears in :meth:`finish`.
        upscaler: of one, three or as many channels as there are bands.
        settings: how results are written.

    Attributes:
        planned, between, rows: as in :class:`wildsr.inference.file.Upscaling`.
        size: (width, height) of all pages together, by the network.

    Raises:
        UserError: invalid pages, bands, range or format.
    """

    planned, between = Planned, FLOAT
    rows: Any = None

    def __init__(
        self, raster: Raster, target: Path, upscaler: Upscaler, settings: Settings
    ) -> None:
        self.raster, self.target, self.scale = raster, target, upscaler.scale
        suffix = target.suffix.lower().removeprefix(".")
        chosen = settings.format or (suffix if suffix in FORMATS else raster.suffix)
        if chosen not in FORMATS:
            raise unknown("Argument `format`", chosen, FORMATS)
        if FORMATS.get(suffix, FORMATS[chosen]) != FORMATS[chosen]:
            raise UserError(f"Argument `format` is {chosen!r}, but the result is called {target}.")
        self.format, self.settings = FORMATS[chosen], settings
        if self.format != raster.suffix:
            raster.in_units()
        self.wish = settings.range or trained_range(upscaler.sensor, raster)
        wanted = chosen_pages(raster, settings.page)
        self.looks = {n: look_at(raster, n, settings.bands) for n in wanted}
        for look in self.looks.values():
            group(look, raster, upscaler.channels, upscaler.name)
        factor = settings.outscale or self.scale
        made = [
            result_page(raster.pages[n], look, factor, settings) for n, look in self.looks.items()
        ]
        kept = [kept_bands(look) for look in self.looks.values()]
        self.plan = Plan(made, wanted, kept, settings.identity)
        check_fits(self.format, raster, self.plan, target)
        pixels = sum(page.width * page.height for page in made)
        self.size = (pixels, 1)
        self.partial = Partial(target)

    @property
    def alike(self) -> object:
        """A key that no other upscaling has: it is never batched with others."""
        return id(self)

    def compute(self, strips_of: Strips) -> None:
        """Upscale and write all pages."""
        try:
            with readable(self.raster.path):
                self._compute(strips_of)
        except BaseException:
            self.abandon()
            raise

    def _compute(self, strips_of: Strips) -> None:
        numbers = list(self.plan.of)
        found, odd = ranges(self.raster, numbers, self.wish)
        if odd:
            say_once(
                f"{self.raster.path}: {100 * odd:.3g} % of its numbers are NaN or infinite; the "
                "result has them in the same places"
            )
        writer: Writer = writer_for(
            self.format, self.partial.path, self.raster, self.plan, self.settings.quality
        )
        try:
            for place, number in enumerate(numbers):
                low, high = found[number]
                made, page = self.plan.pages[place], self.raster.pages[number]
                cut = not same_numbers(page, made)
                look = replace(self.looks[number], low=low, high=high, cut=cut)
                writer.page(place, self._strips(place, number, look, strips_of))
            writer.close()
        except OSError as error:  # those of the source are in sentences already
            writer.abandon()
            raise UserError(f"{self.target} cannot be written: {first_line(error)}.") from error
        except BaseException:
            writer.abandon()
            raise

    def _strips(self, place: int, number: int, look: Look, strips_of: Strips) -> Iterator[Values]:
        page, made = self.raster.pages[number], self.plan.pages[place]
        size = page.width * self.scale, page.height * self.scale
        with readable(self.raster.path), closing(self.raster.rows(number)) as rows:
            strips = upscaled(rows, look, self.scale, strips_of)
            for strip in resized(strips, size, (made.width, made.height)):
                yield numbers_of(strip, look, page, made, self.raster)

    def finish(self) -> None:
        """Give the file its final name.

        Raises:
            UserError: the file system refuses.
        """
        self.partial.keep()

    def abandon(self) -> None:
        """Remove what was written."""
        self.partial.discard()


def own_range(sensor: Sensor, dtype: np.dtype[Any], side: str = "lr") -> Range | None:
    """The values that a training saw as black and white, for files of that type.

    Args:
        sensor: of the training.
        dtype: of the file.
        side: "lr", or "hr" for sharp photos.
    """
    if sensor.depth == "float":
        return sensor.span(side) if dtype.kind == "f" else None
    known = sensor.lr if side == "lr" else sensor.hr
    return known if dtype == sensor.dtype else None


def trained_range(sensor: Sensor, raster: Raster, side: str = "lr") -> Range | None:
    """The same in the numbers of a file: training reads what they stand for."""
    dtype = raster.pages[0].dtype
    plain = dtype in (np.uint8, np.uint16) and not raster.rescaled
    span = own_range(sensor, dtype if plain else FLOAT, side)
    return None if span is None else raster.stored_range(span)


def numbers_of(strip: Strip, look: Look, page: Page, made: Page, raster: Raster) -> Values:
    """Convert a strip to the values of the result.

    Equal numbers mean equal quantities as in the source; if the result has another integer type,
    the range is mapped to the whole of that type.
    """
    bands = kept_bands(look)
    low, high = look.low[bands], look.high[bands]
    unit: Any = strip.unit
    same = same_numbers(page, made)
    if same:
        wide = page.dtype.itemsize > 2 and page.dtype != np.float32
        kind = np.float64 if wide else np.float32
        values = unit.astype(kind) * (high - low).astype(kind) + low.astype(kind)
    else:
        values = unit.clip(0, 1) * np.float32(of_type(made, None)[1])
        if look.masked or page.dtype.kind == "f":
            values = values.clip(1)  # 0 marks missing data
    if look.alpha is not None and made.dtype.kind == "f" and page.dtype.kind != "f":
        values[..., -1] = unit[..., -1] * high[-1]
    cast = _cast(values, made.dtype)
    if strip.there is None or strip.kept is None:
        return _not_missing(cast, None, look, raster) if same else cast
    count = len(look.bands)
    kept = strip.kept if same else np.zeros(strip.kept.shape, made.dtype)
    colours = np.where(strip.there, cast[..., :count], kept.astype(made.dtype))
    if same:
        colours = _not_missing(colours, strip.there, look, raster)
    return np.concatenate([colours, cast[..., count:]], axis=-1)


def same_numbers(page: Page, made: Page) -> bool:
    """Whether the numbers of a result mean what those of its source do."""
    return made.dtype == page.dtype or made.dtype.kind == "f"


def _cast(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> Values:
    if dtype.kind == "f":
        return values.astype(dtype)
    if dtype.kind == "b":
        return values >= 0.5
    most = np.iinfo(dtype)
    rounded = np.rint(values.astype(np.float64) if dtype.itemsize > 2 else values)
    whole: Values = rounded.clip(most.min, most.max)
    if dtype.itemsize == 8:  # float64 cannot represent its largest number
        whole = whole.clip(most.min, np.nextafter(float(most.max), 0))
    return whole.astype(dtype)


def _not_missing(
    values: Values, there: npt.NDArray[np.bool_] | None, look: Look, raster: Raster
) -> Values:
    """Move results that happen to equal the value for "not measured" to the next number."""
    for place, band in enumerate(look.bands):
        missing = look.missing[band]
        if missing is None or not np.isfinite(missing):
            continue
        one = values[..., place]
        hit = one == missing
        hit &= True if there is None else there[..., place]
        if hit.any():
            if values.dtype.kind == "f":
                one[hit] = np.nextafter(one.dtype.type(missing), one.dtype.type(np.inf))
            elif values.dtype.kind in "iu":
                one[hit] = missing + (1 if missing < np.iinfo(values.dtype).max else -1)
    return values
