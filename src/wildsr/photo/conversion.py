"""Turn decoded pictures upright, and their pixels into gray or RGB of 8 or 16 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from wildsr.photo.vips import pyvips

GRAY, COLOUR = ("b-w", "grey16"), ("srgb", "rgb", "rgb16")
DEPTHS: dict[str, np.dtype[Any]] = {
    "uchar": np.dtype(np.uint8),
    "ushort": np.dtype(np.uint16),
}


def turned(image: Any, orientation: int) -> Any:
    """Apply an EXIF orientation (TIFF 6.0, tag 274), so that the image is upright.

    Args:
        image: a libvips image.
        orientation: 1 to 8.
    """
    turns = {2: ("h", 0), 3: ("", 180), 4: ("v", 0), 5: ("h", 270), 6: ("", 90), 7: ("h", 90)}
    flip, angle = turns.get(orientation, ("", 270 if orientation == 8 else 0))
    if flip:
        image = image.fliphor() if flip == "h" else image.flipver()
    return image.rot(f"d{angle}") if angle else image


def converted(image: Any, lab: int | None) -> Any:
    """Convert a libvips image to gray or RGB, with or without alpha, of 8 or 16 bits.

    Args:
        image: of any colour space.
        lab: photometric value of an 8-bit Lab TIFF (8 or 9); None for others.

    Raises:
        ValueError: floating-point, signed or 32-bit pixels, more than 4 channels, colours of a kind
            that would be taken for RGB (ITU Lab, ICC Lab of 16 bits).
    """
    if lab is not None:
        kind = "char" if lab == 8 else "uchar"
        less = 0 if lab == 8 else 128
        light = image[0] * (100 / 255)
        colours = [image[n].copy(format=kind).cast("float") - less for n in (1, 2)]
        image = light.bandjoin(colours).copy(interpretation="lab")
        image = _as_srgb(image)
    elif image.interpretation in ("lab", "labs", "labq", "lch", "xyz"):
        image = _as_srgb(image)
    if image.format not in DEPTHS:
        if image.format in ("float", "double"):
            raise ValueError("floating-point pixels, only 8 and 16 bits are supported")
        raise ValueError(f"pixels of type {image.format}, only 8 and 16 bits are supported")
    if image.interpretation == "cmyk":
        depth = 16 if image.format == "ushort" else 8
        image = image.icc_transform("srgb", embedded=True, depth=depth)
    elif image.interpretation not in (*GRAY, *COLOUR):
        raise ValueError(f"colours of a kind that is not read ({image.interpretation})")
    if image.bands > 4:
        raise ValueError(f"{image.bands} channels, at most 4 are supported")
    return image


def _as_srgb(image: Any) -> Any:
    """Convert colours that need no profile, and attach sRGB's in place of any that it had."""
    image = image.colourspace("srgb").copy()
    profile = pyvips.Operation.call("profile_load", "srgb")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", bytes(profile))
    return image
