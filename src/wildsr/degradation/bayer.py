"""Simulate a Bayer sensor: keep one colour at each pixel and interpolate the two others."""

from __future__ import annotations

from functools import lru_cache

import torch
from kornia.color import CFA, rgb_to_raw
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation.argument import check_image
from wildsr.degradation.correlation import reflect
from wildsr.error import UserError, unknown
from wildsr.pixels import at_least_float32

# Kornia names patterns as OpenCV does, by pixel (1, 1) and the one to its right.
_CFA = {"RGGB": CFA.BG, "GRBG": CFA.GB, "GBRG": CFA.GR, "BGGR": CFA.RG}
PATTERNS = tuple(_CFA)

# The three filters interpolate green at a red or blue pixel; red at a green pixel with red to its
# left and right; red at a blue pixel. The others follow by rotation and by exchanging red and blue.
# fmt: off
_BILINEAR = (
    ((0, 0, 0, 0, 0),
     (0, 0, 1, 0, 0),
     (0, 1, 0, 1, 0),
     (0, 0, 1, 0, 0),
     (0, 0, 0, 0, 0)),
    ((0, 0, 0, 0, 0),
     (0, 0, 0, 0, 0),
     (0, 2, 0, 2, 0),
     (0, 0, 0, 0, 0),
     (0, 0, 0, 0, 0)),
    ((0, 0, 0, 0, 0),
     (0, 1, 0, 1, 0),
     (0, 0, 0, 0, 0),
     (0, 1, 0, 1, 0),
     (0, 0, 0, 0, 0)),
)  # in quarters
_MALVAR = (
    ((0, 0, -2, 0, 0),
     (0, 0, 4, 0, 0),
     (-2, 4, 8, 4, -2),
     (0, 0, 4, 0, 0),
     (0, 0, -2, 0, 0)),
    ((0, 0, 1, 0, 0),
     (0, -2, 0, -2, 0),
     (-2, 8, 10, 8, -2),
     (0, -2, 0, -2, 0),
     (0, 0, 1, 0, 0)),
    ((0, 0, -3, 0, 0),
     (0, 4, 0, 4, 0),
     (-3, 0, 12, 0, -3),
     (0, 4, 0, 4, 0),
     (0, 0, -3, 0, 0)),
)  # in sixteenths
# fmt: on
_FILTERS = {"malvar": (1 / 16, _MALVAR), "bilinear": (1 / 4, _BILINEAR)}
METHODS = tuple(_FILTERS)


def mosaic(image: Tensor, pattern: str = "RGGB") -> Tensor:
    """Keep the one colour of each pixel that a Bayer sensor measures, by Kornia.

    Args:
        image: (B, 3, H, W).
        pattern: the colours of the top left 2 x 2 pixels, row by row; one of ``PATTERNS``.

    Returns:
        (B, 1, H, W), in the dtype of ``image``.

    Raises:
        UserError: another shape or pattern.
    """
    check_image(image)
    if pattern not in PATTERNS:
        raise unknown("Argument `pattern`", pattern, PATTERNS)
    raw: Tensor = rgb_to_raw(image, _CFA[pattern])
    return raw


def demosaic(raw: Tensor, pattern: str = "RGGB", method: str = "malvar") -> Tensor:
    """Interpolate the two colours that each pixel lacks by linear filters.

    Measured values stay as they are.

    "bilinear" is the mean of the nearest pixels of the colour. "malvar" adds a correction by the
    Laplacian of the measured colour, in 5 x 5 pixels (Malvar, He and Cutler 2004, "High-quality
    linear interpolation for demosaicing of Bayer-patterned color images", figure 2), and overshoots
    at edges. Borders are reflected without repeating the edge, which keeps the pattern.

    Args:
        raw: (B, 1, H, W), both sides 2 or more.
        pattern: as in :func:`mosaic`.
        method: "malvar" or "bilinear".

    Returns:
        (B, 3, H, W), float32 at least, also under autocast; not clamped. On CUDA only as precise as
        TF32 (11 bits), if torch is allowed to use it in convolutions, which is the default.

    Raises:
        UserError: another shape, pattern or method.
    """
    check_image(raw, (1,), "raw")
    if pattern not in PATTERNS:
        raise unknown("Argument `pattern`", pattern, PATTERNS)
    if method not in METHODS:
        raise unknown("Argument `method`", method, METHODS)
    height, width = raw.shape[2:]
    if min(height, width) < 2:
        raise UserError(
            "Argument `raw` must have two rows and two columns at least, to hold all colours, but "
            f"got {height} x {width}."
        )
    raw = at_least_float32(raw)
    continued = reflect(raw, (2, 2 + height % 2), (2, 2 + width % 2))
    with torch.autocast(raw.device.type, enabled=False):
        # All three colours of all four pixels of a cell, from the 6 x 6 pixels around it
        cells = F.conv2d(continued, _kernel(pattern, method, raw.device, raw.dtype), stride=2)
    return F.pixel_shuffle(cells, 2)[..., :height, :width]


@lru_cache(maxsize=16)
def _kernel(pattern: str, method: str, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(12, 1, 6, 6): for each channel and each pixel of a cell its filter, at the pixel's place."""
    factor, filters = _FILTERS[method]
    green, along_row, across = (torch.tensor(f, dtype=torch.float64) * factor for f in filters)
    measured = torch.zeros(5, 5, dtype=torch.float64)
    measured[2, 2] = 1
    kernel = torch.zeros(3, 2, 2, 6, 6, dtype=torch.float64)
    for channel, colour in enumerate("RGB"):
        for row in (0, 1):
            for column in (0, 1):
                own, beside = pattern[2 * row + column], pattern[2 * row + 1 - column]
                if own == colour:
                    chosen = measured
                elif colour == "G":
                    chosen = green
                elif own == "G":
                    chosen = along_row if beside == colour else along_row.T
                else:
                    chosen = across
                kernel[channel, row, column, row : row + 5, column : column + 5] = chosen
    with torch.inference_mode(False):
        return kernel.view(12, 1, 6, 6).to(device, dtype, copy=True)
