"""Codings, defects and fringes of measured cameras as numbers of weights files, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.coding import Coding, JPEGCoding, WebPCoding
from wildsr.degradation.defects import Defects
from wildsr.degradation.fringes import NONE, Fringes

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
WEBP = len(SUBSAMPLINGS)  # stands in their place for WebP, whose quality is the first table entry
VALUES = 16  # of impulses to be drawn from


def numbers_of_coding(coding: Coding | None) -> tuple[Tensor, int]:
    """A lossy coding as (2, 64) integers and an index.

    Of JPEG: its tables (luma, chroma) and the place of its subsampling in ``SUBSAMPLINGS``. Of
    WebP: its quality as the first integer, and ``WEBP``. Of none: zeros and -1.
    """
    tables = torch.zeros(2, 64, dtype=torch.int32)
    if isinstance(coding, WebPCoding):
        tables[0, 0] = coding.quality
        return tables, WEBP
    if isinstance(coding, JPEGCoding):
        tables[:] = torch.tensor([coding.luminance, coding.chrominance])
        return tables, SUBSAMPLINGS.index(coding.subsampling)
    return tables, -1


def coding_of(tables: Tensor, index: int) -> Coding | None:
    """The coding that :func:`numbers_of_coding` made these numbers of: (2, 64) and an index."""
    luma, chroma = tables.tolist()
    if index == WEBP:
        return WebPCoding(luma[0])
    return None if index < 0 else JPEGCoding(tuple(luma), tuple(chroma), SUBSAMPLINGS[index])


def numbers_of_defects(defects: Defects) -> Tensor:
    """Defects as (4 + VALUES,) floats; their values are repeated until there are ``VALUES``."""
    values = [defects.values[n * len(defects.values) // VALUES] for n in range(VALUES)]
    return torch.tensor(
        [defects.impulses, defects.together, defects.rows, defects.columns, *values]
    )


def defects_of(numbers: Tensor) -> Defects:
    """The defects that :func:`numbers_of_defects` made these numbers of, (4 + VALUES,)."""
    share, together, rows, columns, *values = numbers.tolist()
    return Defects(share, together, tuple(values), rows, columns)


def numbers_of_fringes(fringes: Fringes, channels: int) -> Tensor:
    """Displacements as (C, 3) floats: of each channel to the right, down, outwards."""
    if not fringes:
        return torch.zeros(channels, 3)
    return torch.cat([torch.tensor(fringes.moved), torch.tensor(fringes.magnified)[:, None]], 1)


def fringes_of(numbers: Tensor) -> Fringes:
    """The displacements that :func:`numbers_of_fringes` made these numbers of, (C, 3)."""
    if not bool(numbers.any()):
        return NONE
    rows = [[round(value, 4) for value in row] for row in numbers.tolist()]
    return Fringes(tuple((x, y) for x, y, _ in rows), tuple(row[2] for row in rows))
