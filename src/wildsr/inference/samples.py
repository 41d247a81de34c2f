"""Upscale files of other sensors than 8-bit cameras, in their own type and channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.inference.strips import upscale_image
from wildsr.inference.tile import interpolate
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.samples import TYPES, Range, Samples, is_raw, kind_of, read_samples, write_samples
from wildsr.photo.sensor import WHITES, unit_of, values_of


def by_samples(upscaler: Upscaler, source: Path, limit: float | None) -> bool:
    """Whether a file is upscaled as samples, and not as rows of a photo.

    Floats and other numbers of channels than a photo has; and what an upscaler with a range of its
    own was trained on.
    """
    if is_raw(source):
        return True
    sensor = upscaler.sensor
    return sensor.lr is not None and kind_of(source, limit).dtype == sensor.dtype


def upscale_samples(
    upscaler: Upscaler,
    source: Path,
    target: Path,
    outscale: float | None = None,
    depth: int | None = None,
    limit: float | None = None,
) -> tuple[int, int]:
    """Upscale a file into one of the same type and channels, whole in memory.

    Black and white are those that the upscaler was trained with, where the file is of that type,
    else those of its own type. Of floats what lies outside is kept: it is added by bicubic
    interpolation.

    Args:
        upscaler: of :func:`wildsr.run.load.load_upscaler`.
        source: the file.
        target: a PNG or a TIFF; appears when it is complete.
        outscale: size of the result / size of the photo; None takes the network's scale.
        depth: 8 or 16 bits from black to white; None keeps the file's type and values.
        limit: megapixels of the file; None for any number.

    Returns:
        Width and height of the result.

    Raises:
        UserError: a file that cannot be read or written, or is of another number of channels.
    """
    pixels = read_samples(source, limit)
    span = span_of(upscaler, pixels)
    made = upscaled_samples(upscaler, pixels, span)
    if outscale is not None:
        made = _resized(made, outscale / upscaler.scale)
    if depth is None:
        values = values_of(made, span, pixels.dtype)
    else:
        values = values_of(made.clip(0, 1), (0.0, WHITES[str(depth)]), TYPES[str(depth)])
    write_samples(target, values)
    return values.shape[1], values.shape[0]


def span_of(upscaler: Upscaler, pixels: Samples) -> Range:
    """Black and white of a file's values for an upscaler.

    Raises:
        UserError: floats, for an upscaler that was not trained on floats, beyond [0, 1].
    """
    sensor = upscaler.sensor
    if pixels.dtype == sensor.dtype:
        return sensor.span()
    depth = next(name for name, dtype in TYPES.items() if dtype == pixels.dtype)
    if depth == "float" and not (pixels.min() >= 0 and pixels.max() <= 1):
        raise UserError(
            f"{upscaler.name} was trained on {sensor.sentence()}, but the file holds "
            f"floating-point numbers from {pixels.min():g} to {pixels.max():g}; values from 0 to 1 "
            "it takes."
        )
    return 0.0, WHITES[depth]


def upscaled_samples(upscaler: Upscaler, pixels: Samples, span: Range) -> Samples:
    """(H, W, C) of values to (sH, sW, C) of float32, 0 for black and 1 for white."""
    unit = unit_of(pixels, span)
    made = upscale_image(upscaler, unit, np.dtype(np.float32))
    if pixels.dtype.kind == "f":
        low, high = span
        beyond = (pixels - np.float32(low)) / np.float32(high - low) - unit
        if np.abs(beyond).max() > 1e-6:
            most = float(np.abs(beyond).max())
            shown = torch.from_numpy(beyond / (2 * most) + 0.5).permute(2, 0, 1)[None]
            grown = interpolate(shown, upscaler.scale, "bicubic", deep=True)[0].permute(1, 2, 0)
            made = made + ((grown - 0.5) * 2 * most).numpy().astype(np.float32)
    return made


def _resized(image: Samples, factor: float) -> Samples:
    """An image of another size, bicubic and antialiased."""
    height, width = (max(round(side * factor), 1) for side in image.shape[:2])
    planes = torch.from_numpy(image).permute(2, 0, 1)[None]
    made = F.interpolate(planes, (height, width), mode="bicubic", antialias=True)
    return made[0].permute(1, 2, 0).contiguous().numpy()
