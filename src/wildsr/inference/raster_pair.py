"""A pair made of a file of measured values: every page and band, in their own numbers."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from wildsr.archive.place import PairPaths
from wildsr.atomic import Partial
from wildsr.error import UserError, first_line
from wildsr.inference.bands import Look, Strip
from wildsr.inference.degrading import (
    FileDegrader,
    Floats,
    PairFiles,
    PairSettings,
    block_mean,
)
from wildsr.inference.raster import numbers_of, same_numbers, trained_range
from wildsr.inference.raster_plan import chosen_pages, group, kept_bands, look_at, result_page
from wildsr.photo.encode import FORMATS
from wildsr.photo.folder import say_once
from wildsr.photo.raster.base import Page, Plan, Raster, Values, Writer
from wildsr.photo.raster.ranges import Wish, ranges, valid
from wildsr.photo.raster.write import check_fits, writer_for
from wildsr.photo.samples import filled
from wildsr.photo.unreadable import readable


class RasterPair(PairFiles):
    """A pair that is being made of a file of measured values.

    Bands that the degradation takes together (red, green and blue, or all of a sensor's) go through
    it together, others one by one. What lies outside of the range is no loss: its mean over an LR
    pixel is added. What was not measured is no part of any LR pixel: an LR pixel with a gap in it
    is one.

    Args:
        raster: the sharp file.
        targets: the files.
        degrader: the degradation.
        settings: how they are written.

    Attributes:
        size: (LR pixels of all pages, 1).
        target: the LR's file.

    Raises:
        UnreadableImage: a page is too small.
        UserError: pages, bands, a range or a format that cannot be.
    """

    def __init__(
        self, raster: Raster, targets: PairPaths, degrader: FileDegrader, settings: PairSettings
    ) -> None:
        self.raster, self.degrader, self.settings = raster, degrader, settings.files
        self.target = targets.lr
        formats = [
            FORMATS[path.suffix.lower().removeprefix(".")] for path in (targets.hr, targets.lr)
        ]
        if settings.quality is not None or formats[1] == "jpg":
            raise UserError(
                f"JPEG (`quality`, `format=jpeg`) is of photos of 8 bits, but {raster.path} is a "
                "file of measured values."
            )
        if formats[0] != raster.suffix:
            raster.in_units()
        self.numbers = chosen_pages(raster, self.settings.page)
        looks = [look_at(raster, number, self.settings.bands) for number in self.numbers]
        for look in looks:
            group(look, raster, degrader.channels, degrader.name)
        self.looks = looks
        self.wishes: list[Wish] = [
            self.settings.range or trained_range(degrader.sensor, raster, side)
            for side in ("hr", "lr")
        ]
        self.whole = self._whole()
        self.plans: list[Plan] = []
        for factor, format, path in zip(
            (1.0, 1 / degrader.scale), formats, (targets.hr, targets.lr), strict=True
        ):
            pages = [
                result_page(self.whole.pages[number], look, factor, self.settings)
                for number, look in zip(self.numbers, looks, strict=True)
            ]
            plan = Plan(
                pages, self.numbers, [kept_bands(look) for look in looks], self.settings.identity
            )
            check_fits(format, self.whole, plan, path)
            self.plans.append(plan)
        self.formats = formats
        self.size = (sum(page.width * page.height for page in self.plans[1].pages), 1)
        self.partials = [Partial(targets.hr)]
        try:
            self.partials.append(Partial(targets.lr))
        except BaseException:
            self.abandon()
            raise

    def _whole(self) -> Raster:
        """The file as if its pages ended with whole LR pixels, for what is written of it."""
        scale = self.degrader.scale
        pages = list(self.raster.pages)
        for number in self.numbers:
            page = pages[number]
            self.degrader.check(self.raster.path, page.height, page.width)
            height, width = (side // scale * scale for side in (page.height, page.width))
            pages[number] = replace(page, height=height, width=width)
        whole = copy.copy(self.raster)
        whole.pages = pages
        return whole

    def compute(self) -> None:
        """Write both files under other names."""
        try:
            with readable(self.raster.path):
                self._write()
        except BaseException:
            self.abandon()
            raise

    def _write(self) -> None:
        found = []
        for wish in self.wishes:
            of, odd = ranges(self.raster, self.numbers, wish)
            found.append(of)
        if odd:
            say_once(
                f"{self.raster.path}: {100 * odd:.3g} % of its numbers are NaN or infinite; the "
                "pair has them in the same places"
            )
        writers: list[Writer] = []
        try:
            for format, partial, plan in zip(self.formats, self.partials, self.plans, strict=True):
                writers.append(writer_for(format, partial.path, self.whole, plan, 95))
            for place, number in enumerate(self.numbers):
                looks = []
                for of, plan in zip(found, self.plans, strict=True):
                    low, high = of[number]
                    cut = not same_numbers(self.raster.pages[number], plan.pages[place])
                    looks.append(replace(self.looks[place], low=low, high=high, cut=cut))
                with readable(self.raster.path):
                    pair = self._page(place, number, looks)
                for writer, values in zip(writers, pair, strict=True):
                    writer.page(place, [values])
            for writer in writers:
                writer.close()
        except OSError as error:
            for writer in writers:
                writer.abandon()
            raise UserError(f"{self.target} cannot be written: {first_line(error)}.") from error
        except BaseException:
            for writer in writers:
                writer.abandon()
            raise

    def _page(self, place: int, number: int, looks: list[Look]) -> tuple[Values, Values]:
        """One page of both files."""
        page, whole = self.raster.pages[number], self.whole.pages[number]
        rows = self.raster.rows(number)
        try:
            read = rows.read(page.height)
        finally:
            rows.close()
        values = read[: whole.height, : whole.width]
        sharp, small = looks
        unit, there = _seen(values, sharp)
        made = self.plans[0].pages[place]
        if made.dtype == page.dtype:
            hr: Values = np.ascontiguousarray(values[..., kept_bands(sharp)])
        else:
            hr = self._numbers(unit, values[..., sharp.bands], there, sharp, page, made)
        lr, small_there = self._degraded(unit, there, sharp), None
        gaps = None
        if not there.all():
            gaps, small_there = _gaps(values[..., sharp.bands], there, self.degrader.scale)
        made = self.plans[1].pages[place]
        return hr, self._numbers(lr, gaps, small_there, small, page, made)

    def _numbers(
        self, unit: Floats, kept: Any, there: Any, look: Look, page: Page, made: Page
    ) -> Values:
        all_there = there is None or bool(there.all())
        strip = Strip(unit) if all_there else Strip(unit, kept, there)
        return numbers_of(strip, look, page, made, self.raster)

    def _degraded(self, unit: Floats, there: Any, look: Look) -> Floats:
        """The LR of a page: (h, w, bands), alpha last where there is one."""
        scale, bands = self.degrader.scale, len(look.bands)
        colours = unit[..., :bands]
        known = there if look.alpha is None else there & (unit[..., -1:] > 0)
        if not known.all():
            colours = filled(colours, known)
        inside = colours.clip(0, 1)
        lr = np.empty((len(unit) // scale, unit.shape[1] // scale, unit.shape[2]), np.float32)
        for some in look.groups:
            lr[..., some] = self.degrader(inside[..., some])
        beyond = np.where(there, colours - inside, 0)
        if beyond.any() and not look.cut:
            lr[..., :bands] += block_mean(beyond, scale)
        if look.alpha is not None:
            lr[..., -1:] = block_mean(unit[..., -1:], scale)
        return lr


def _seen(values: Values, look: Look) -> tuple[Floats, Any]:
    """Bands with 0 at their low and 1 at their high, alpha last; and which values were measured."""
    bands = kept_bands(look)
    low, high = look.low[bands], look.high[bands]
    kind = np.float32 if values.dtype.itemsize <= 2 else np.float64
    with np.errstate(invalid="ignore", over="ignore"):
        unit: Any = (values[..., bands].astype(kind) - low.astype(kind)) / (high - low).astype(kind)
    there = valid(values[..., look.bands], [look.missing[band] for band in look.bands])
    for some in look.groups:  # a colour of which one part is missing is none that is seen
        there[..., some] = there[..., some].all(-1, keepdims=True)
    unit[..., : len(look.bands)][~there] = 0
    return unit.astype(np.float32), there


def _gaps(values: Values, there: Any, scale: int) -> tuple[Values, Any]:
    """Of each LR pixel one of its values, a missing one where there is any; and where none is."""
    height, width, count = values.shape
    shape = (height // scale, scale, width // scale, scale, count)
    blocks = [
        each.reshape(shape).transpose(0, 2, 4, 1, 3).reshape(*shape[::2], scale * scale)
        for each in (values, there)
    ]
    place = blocks[1].argmin(-1)[..., None]
    kept = np.take_along_axis(blocks[0], place, -1)[..., 0]
    return kept, blocks[1].all(-1)
