"""Brightness of an image, as JPEG defines it."""

from __future__ import annotations

from torch import Tensor


def luma(photo: Tensor) -> Tensor:
    """(3, H, W) -> (H, W): 0.299 R + 0.587 G + 0.114 B (BT.601), in float64, of the same range."""
    red, green, blue = photo.double()
    return 0.299 * red + 0.587 * green + 0.114 * blue
