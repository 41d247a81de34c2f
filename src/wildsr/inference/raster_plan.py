"""Which pages and bands of a file of measured values are wanted, and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from wildsr.error import UserError
from wildsr.inference.bands import FLOAT, Look
from wildsr.inference.settings import Settings
from wildsr.photo.raster.base import Page, Raster

DEPTHS: dict[int | str, np.dtype[Any]] = {
    8: np.dtype(np.uint8),
    16: np.dtype(np.uint16),
    "float": FLOAT,
}


def chosen_pages(raster: Raster, page: int | None) -> list[int]:
    """The numbers, from 0, of the page that was asked for (from 1), or of all.

    Raises:
        UserError: the file has no such page.
    """
    if page is None:
        return list(range(len(raster.pages)))
    if not 1 <= page <= len(raster.pages):
        raise UserError(
            f"Argument `page` must be 1 to {len(raster.pages)} for {raster.path}, but got {page}."
        )
    return [page - 1]


def look_at(raster: Raster, number: int, bands: Any) -> Look:
    """Which bands of a page are wanted, and which of them go together.

    Raises:
        UserError: the page has no such band.
    """
    page = raster.pages[number]
    nothing = np.empty(0)
    missing = raster.missing(number)
    colours = [band for band in range(page.bands) if band != page.alpha]
    if bands is None or bands == "all":
        together = list(page.colour) if bands is None else []
        groups = [together] if together else []
        groups += [[band] for band in colours if band not in together]
        places = [[colours.index(band) for band in group] for group in groups]
        return Look(colours, places, nothing, nothing, missing, page.alpha)
    if max(bands) > page.bands:
        raise UserError(
            f"Argument `bands` must hold numbers from 1 to {page.bands} for {raster.path}, but got "
            f"{list(bands)}."
        )
    chosen = [band - 1 for band in bands]
    count = len(chosen)
    places = [[0, 1, 2]] if count == 3 else [[place] for place in range(count)]
    return Look(chosen, places, nothing, nothing, missing)


def kept_bands(look: Look) -> list[int]:
    """The bands of the source page that a result holds, alpha last."""
    return [*look.bands, *([] if look.alpha is None else [look.alpha])]


def group(look: Look, raster: Raster, channels: int, name: str) -> None:
    """Regroup the bands for a network of other channels than three.

    Args:
        look: of a page; its groups are replaced.
        raster: the file.
        channels: that the network takes.
        name: what a message calls it.

    Raises:
        UserError: it takes another number of channels than there are bands.
    """
    count = len(look.bands)
    if channels == 3:
        return
    if channels == 1:
        look.groups[:] = [[place] for place in range(count)]
    elif channels == count:
        look.groups[:] = [list(range(count))]
    else:
        raise UserError(
            f"The network of {name} takes {channels} bands, but {raster.path} has "
            f"{count}; `bands` picks some."
        )


def result_page(page: Page, look: Look, factor: float, settings: Settings) -> Page:
    """A page of the result."""
    height, width = (max(round(side * factor), 1) for side in (page.height, page.width))
    dtype = page.dtype if settings.depth is None else DEPTHS[settings.depth]
    bands = len(look.bands) + (look.alpha is not None)
    three = [list(range(3))] == look.groups[:1] and settings.bands not in (None, "all")
    colour = (
        tuple(look.bands.index(band) for band in page.colour)
        if page.colour and set(page.colour) <= set(look.bands) and settings.bands in (None, "all")
        else ((0, 1, 2) if three else ())
    )
    alpha = None if look.alpha is None else bands - 1
    return Page(height, width, bands, dtype, colour, alpha, page.channel)
