"""Compress with the JPEG tables of real files."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from wildsr.degradation.jpeg.jpeg import quantisation_tables
from wildsr.pixels import round8

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
    """Compress one image (1, C, H, W) in [0, 1] as a JPEG; see :func:`coded_each`."""
    return coded_each(image, [coding], [phase])


def coded_each(
    images: Tensor, codings: Sequence[Coding | None], phases: Sequence[tuple[int, int]]
) -> Tensor:
    """Compress each of ``images`` (B, C, H, W) in [0, 1] as a JPEG of its coding, by libjpeg.

    Args:
        images: values outside [0, 1] are clamped; with C other than 1 and 3 they are only rounded.
        codings: B of them. None: no JPEG, only rounding to 8 bits.
        phases: of each, rows and columns, 0 to 15, from a corner of the block grid to the image's
            corner. Blocks that reach beyond the image are filled with its mirror image.

    Returns:
        (B, C, H, W), multiples of 1/255, without a gradient.
    """
    levels = round8(images.detach()).byte().cpu().permute(0, 2, 3, 1).contiguous()
    pixels = levels.numpy()
    if images.shape[1] in (1, 3):  # JPEG knows gray and RGB
        for image, coding, phase in zip(pixels, codings, phases, strict=True):
            if coding is not None:
                image[:] = _written_and_read(image, coding, phase)
    return levels.permute(0, 3, 1, 2).contiguous().to(images).div(255)


def _written_and_read(
    pixels: npt.NDArray[np.uint8], coding: Coding, phase: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    (top, left), (height, width, channels) = phase, pixels.shape
    padded = pixels[_mirrored(height, top)[:, None], _mirrored(width, left)]
    tables, file = [list(coding.luminance), list(coding.chrominance)], io.BytesIO()
    if channels == 1:
        Image.fromarray(padded[..., 0]).save(file, "JPEG", qtables=tables[:1])
    else:
        picture = Image.fromarray(padded)
        picture.save(file, "JPEG", qtables=tables, subsampling=coding.subsampling)
    read = np.asarray(Image.open(file))  # of the mode that was written
    return read.reshape(padded.shape)[top : top + height, left : left + width]


@cache
def _mirrored(length: int, start: int) -> npt.NDArray[np.intp]:
    """Indices of ``length`` pixels with their mirror image on both sides: whole units in all."""
    return np.pad(np.arange(length), (start, -(start + length) % UNIT), mode="reflect")
