"""Inspect one photo: coding, noise, edges, clipping."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from wildsr.forensics.coding import Coding
from wildsr.forensics.photo import read_coding
from wildsr.metric.statistic.edge_spread import edge_spread
from wildsr.metric.statistic.flat_noise import flat_noise, noise_correlation
from wildsr.photo.header import open_header
from wildsr.photo.image import Pixels, read_image

KEPT = 1024  # side in pixels of the central crop on which the degradation is measured
SEEN = 512  # side of the central crop on which noise and edges are measured
THUMBNAIL = 96


@dataclass(frozen=True)
class Look:
    """The properties of one photo; those for which it is too small are None.

    Attributes:
        name: path below the folder.
        width: pixels.
        height: pixels.
        coding: compression, from the file's header or estimated from the pixels.
        noise: standard deviation of the noise, median over brightness, in 1/255.
        correlation: of the noise between neighbouring pixels, -1 to 1; about 0 for white noise.
        edge: 10-90 % rise of the strongest edges, in pixels.
        black: fraction of the pixels with a channel at 0.
        white: fraction of the pixels with a channel at 255.
        camera: maker and model from EXIF, or "".
        middle: central crop (h, w, 3), at most ``KEPT`` pixels a side.
        thumbnail: data URI of a small JPEG.
    """

    name: str
    width: int
    height: int
    coding: Coding
    noise: float | None
    correlation: float | None
    edge: float | None
    black: float
    white: float
    camera: str
    middle: Pixels = field(repr=False)
    thumbnail: str = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The properties as plain data for JSON."""
        plain = ("name", "width", "height", "noise", "correlation", "edge", "black", "white")
        found = {key: getattr(self, key) for key in plain}
        return {**found, "camera": self.camera, "coding": self.coding.to_dict()}


def look_at(path: Path, name: str, limit: float | None) -> Look:
    """Inspect one photo.

    Args:
        path: of the file.
        name: shown to the user.
        limit: largest size in megapixels; None for any.

    Raises:
        UnreadableImage: it cannot be decoded, or is larger.
    """
    pixels = read_image(path, limit)
    height, width = pixels.shape[:2]
    seen = torch.from_numpy(middle(pixels, SEEN).copy()).permute(2, 0, 1)
    small = min(seen.shape[1:]) < 16  # the windows that noise is taken from, and the edges' rim
    levels = flat_noise(seen).tolist() if not small else []
    known = sorted(level for level in levels if not math.isnan(level))
    beside = noise_correlation(seen)[:2].mean() if not small else torch.nan
    rise = edge_spread(seen.float())[0] if not small else torch.nan
    return Look(
        name,
        width,
        height,
        read_coding(path, pixels),
        known[len(known) // 2] if known else None,
        _finite(float(beside)),
        _finite(float(rise)),
        float((pixels == 0).any(2).mean()),
        float((pixels == 255).any(2).mean()),
        _stated_camera(path),
        middle(pixels, KEPT).copy(),
        _thumbnail(pixels),
    )


def middle(pixels: Pixels, side: int) -> Pixels:
    """Crop the middle of a photo (H, W, 3), at most ``side`` pixels high and wide."""
    top, left = (max(n - side, 0) // 2 for n in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _stated_camera(path: Path) -> str:
    """Maker and model as EXIF has them, on one line of at most 80 characters."""
    try:
        with open_header(path) as image:
            exif = image.getexif()
            words = [str(exif.get(tag, "")).strip("\0 ") for tag in (0x010F, 0x0110)]
    except Exception:  # decoders meet broken files with nearly every exception there is
        return ""
    maker, model = words
    said = model if model.lower().startswith(maker.lower()) else f"{maker} {model}"
    return " ".join("".join(c if c.isprintable() else " " for c in said).split())[:80]


def _thumbnail(pixels: Pixels) -> str:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=75)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
