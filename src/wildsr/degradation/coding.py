"""Compress as real files were: with their JPEG tables, with WebP of their quality."""

from __future__ import annotations

import io
import math
from abc import ABC, abstractmethod
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

Pixels = npt.NDArray[np.uint8]
METHOD = 2  # of libwebp, 0 to 6: what it tries; the steps are the same, and 4 takes a third longer
UNIT = 16  # pixels of a unit of 4:2:0 JPEG (MCU) and of WebP (macroblock), in each direction


class Coding(ABC):
    """A lossy coding of photos, applied by the library that writes such files."""

    @property
    @abstractmethod
    def coarseness(self) -> float:
        """How coarsely luminance is quantised: mean logarithm of the steps, in units of JPEG's."""

    @abstractmethod
    def applied(self, pixels: Pixels) -> Pixels:
        """Compress and decompress pixels (H, W, 1 or 3), uint8, sides multiples of ``UNIT``."""


@dataclass(frozen=True)
class JPEGCoding(Coding):
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
    def libjpeg(cls, quality: int, subsampling: str = "4:2:0") -> JPEGCoding:
        """The tables of libjpeg for a quality, 1 to 100."""
        tables = quantisation_tables(torch.tensor([float(quality)]))
        luminance, chrominance = (tuple(map(int, t.flatten().tolist())) for t in tables)
        return cls(luminance, chrominance, subsampling)

    @property
    def coarseness(self) -> float:
        """Mean logarithm of the luminance table; 0 if all its steps are 1."""
        return sum(map(math.log, self.luminance)) / len(self.luminance)

    def applied(self, pixels: Pixels) -> Pixels:
        """Compress and decompress pixels (H, W, 1 or 3), uint8, by libjpeg."""
        tables, file = [list(self.luminance), list(self.chrominance)], io.BytesIO()
        if pixels.shape[2] == 1:
            Image.fromarray(pixels[..., 0]).save(file, "JPEG", qtables=tables[:1])
        else:
            picture = Image.fromarray(pixels)
            picture.save(file, "JPEG", qtables=tables, subsampling=self.subsampling)
        return np.asarray(Image.open(file)).reshape(pixels.shape)  # of the mode that was written


@dataclass(frozen=True)
class WebPCoding(Coding):
    """The lossy WebP coding (VP8) of a photo, as libwebp writes it for one quality.

    Attributes:
        quality: of libwebp, 0 to 100.
    """

    quality: int

    @property
    def coarseness(self) -> float:
        """Logarithm of about the quantiser step of luminance, which is 4 at its finest."""
        return math.log(4 + quantiser(self.quality))

    def applied(self, pixels: Pixels) -> Pixels:
        """Compress and decompress pixels (H, W, 1 or 3), uint8, by libwebp."""
        file = io.BytesIO()
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        picture.save(file, "WEBP", quality=self.quality, method=METHOD)
        read = Image.open(file).convert(picture.mode)
        return np.asarray(read).reshape(pixels.shape)


def quantiser(quality: float) -> float:
    """The quantiser index, 0 to 127, that libwebp chooses for a quality of 0 to 100."""
    share = quality / 100
    linear = share * 2 / 3 if share < 0.75 else 2 * share - 1
    return 127 * (1 - linear ** (1 / 3))


def coded(image: Tensor, coding: Coding | None, phase: tuple[int, int]) -> Tensor:
    """Compress one image (1, C, H, W) in [0, 1]; see :func:`coded_each`."""
    return coded_each(image, [coding], [phase])


def coded_each(
    images: Tensor, codings: Sequence[Coding | None], phases: Sequence[tuple[int, int]]
) -> Tensor:
    """Compress each of ``images`` (B, C, H, W) in [0, 1] by its own coding.

    Args:
        images: values outside [0, 1] are clamped; with C other than 1 and 3 they are only rounded.
        codings: B of them. None: only rounding to 8 bits.
        phases: of each, rows and columns, 0 to 15, from a corner of the block grid to the image's
            corner. Blocks that reach beyond the image are filled with its mirror image.

    Returns:
        (B, C, H, W), multiples of 1/255, without a gradient.
    """
    levels = round8(images.detach()).byte().cpu().permute(0, 2, 3, 1).contiguous()
    pixels = levels.numpy()
    if images.shape[1] in (1, 3):  # they know gray and RGB
        for image, coding, phase in zip(pixels, codings, phases, strict=True):
            if coding is not None:
                image[:] = _written_and_read(image, coding, phase)
    return levels.permute(0, 3, 1, 2).contiguous().to(images).div(255)


def _written_and_read(pixels: Pixels, coding: Coding, phase: tuple[int, int]) -> Pixels:
    (top, left), (height, width) = phase, pixels.shape[:2]
    padded = pixels[_mirrored(height, top)[:, None], _mirrored(width, left)]
    return coding.applied(padded)[top : top + height, left : left + width]


@cache
def _mirrored(length: int, start: int) -> npt.NDArray[np.intp]:
    """Indices of ``length`` pixels with their mirror image on both sides: whole units in all."""
    return np.pad(np.arange(length), (start, -(start + length) % UNIT), mode="reflect")
