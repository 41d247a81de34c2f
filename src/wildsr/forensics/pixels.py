"""Estimate a photo's coding from its pixels alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from wildsr.forensics.chroma import read_chroma
from wildsr.forensics.coding import NONE, PIXELS, Coding, jpeg_coding
from wildsr.forensics.grid import ROUNDING, Found, grids
from wildsr.forensics.older import read_older
from wildsr.forensics.planes import planes


def read_pixels(photo: npt.NDArray[np.uint8]) -> Coding:
    """The JPEG coding that shows in a photo's pixels, at any offset of its grid.

    Args:
        photo: uint8 (H, W, 3) or gray (H, W, 1), (H, W), as decoded; may have been cropped since,
            but not resized or otherwise changed.

    Returns:
        A record with ``source`` "pixels", or "none" if there is too little evidence: the photo was
        never JPEG, was resized or retouched, or is too small or too flat.
    """
    found = planes(photo)
    seen = grids(found.luma, found.clipped)
    if not seen:
        return Coding(NONE)
    last, older = _in_order(seen)
    if last.spread > ROUNDING:  # what was done since hides chrominance and older codings
        return luminance_only(last)
    if older is None:
        older = read_older(found, last)
    chroma = read_chroma(found, last)
    return jpeg_coding(
        PIXELS,
        last.table,
        None if chroma is None else chroma[1].table,
        subsampling="4:0:0" if found.chroma is None else None if chroma is None else chroma[0],
        phase=last.phase,
        chroma_phase=None if chroma is None else chroma[1].phase,
        older=None if older is None else luminance_only(older),
    )


def luminance_only(found: Found) -> Coding:
    """The record of a coding of which only the luminance shows, and that not exactly."""
    return replace(jpeg_coding(PIXELS, found.table, phase=found.phase), exact=False)


def _in_order(seen: list[Found]) -> tuple[Found, Found | None]:
    """The last coding, and an older one on another grid that a very fine last one left intact."""
    first = seen[0]
    for other in seen[1:]:
        if other.quality and other.phase != first.phase and other.quality > (first.quality or 100):
            return other, first
    return first, None
