"""Compress with the JPEG tables of real files."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from wildsr.degradation.jpeg.jpeg import quantisation_tables
from wildsr.pixels import array_of, to_8_bit

UNIT = 16  # pixels of a 4:2:0 coding unit (MCU), in each direction


@dataclass(frozen=True)
class Coding:
    """The JPEG coding of a photo: its quantisation tables and chroma subsampling.

    Attributes:
        luminance: 64 quantisation steps, row by row, vertical frequency growing with the row.
        chrominance: the same for Cb and Cr.
        subsampling: "4:4:4", "4:2:2" or "4:2:0".
    """

    luminance: tuple[int, ...]
    chrominance: tuple[int, ...]
    subsampling: str = "4:2:0"

    @classmethod
    def libjpeg(cls, quality: int, subsampling: str = "4:2:0") -> Coding:
        """The tables of libjpeg for a quality, 1 to 100."""
        tables = quantisation_tables(torch.tensor([float(quality)]))
        luminance, chrominance = (tuple(map(int, t.flatten().tolist())) for t in tables)
        return cls(luminance, chrominance, subsampling)

    @property
    def coarseness(self) -> float:
        """Mean logarithm of the luminance table; 0 if all its steps are 1."""
        return sum(map(math.log, self.luminance)) / len(self.luminance)


def coded(image: Tensor, coding: Coding | None, phase: tuple[int, int]) -> Tensor:
    """Compress ``image`` (1, C, H, W) in [0, 1] as a JPEG of this coding; the result has 8 bits.

    Args:
        image: values outside [0, 1] are clamped; with C other than 1 and 3 it is only rounded.
        coding: None: no JPEG, only rounding to 8 bits.
        phase: rows and columns, 0 to 15, from a corner of the block grid to the image's corner.
            Blocks that reach beyond the image are filled with its mirror image.
    """
    levels = to_8_bit(image.detach()).clamp(0, 1)
    if coding is None or image.shape[1] not in (1, 3):  # JPEG knows gray and RGB
        return levels
    (top, left), (height, width) = phase, image.shape[-2:]
    pixels = array_of(levels)
    sides = ((top, -(top + height) % UNIT), (left, -(left + width) % UNIT), (0, 0))
    file = io.BytesIO()
    padded, gray = np.pad(pixels, sides, mode="reflect"), pixels.shape[2] == 1
    tables = [list(coding.luminance), list(coding.chrominance)]
    picture = Image.fromarray(padded[..., 0] if gray else padded)
    if gray:
        picture.save(file, "JPEG", qtables=tables[:1])
    else:
        picture.save(file, "JPEG", qtables=tables, subsampling=coding.subsampling)
    read = np.asarray(Image.open(file).convert("L" if gray else "RGB"))
    read = read.reshape(*read.shape[:2], -1)[top : top + height, left : left + width]
    return torch.from_numpy(read.copy()).permute(2, 0, 1)[None].to(image).div(255)


def coded_each(
    images: Tensor, codings: Sequence[Coding | None], phases: Sequence[tuple[int, int]]
) -> Tensor:
    """Compress each image of (B, C, H, W) with its own coding and phase; see :func:`coded`."""
    each = zip(images.split(1), codings, phases, strict=True)
    return torch.cat([coded(*one) for one in each])
