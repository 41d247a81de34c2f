"""Recover JPEG's integer luminance and chrominance planes from RGB, and select useful blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wildsr.forensics.lattice import BLOCK, Array, transform

WINDOW = 2 * BLOCK - 1  # contains one whole block at each of the 64 grid offsets
FEW = 8  # with fewer unclipped blocks, clipped ones are used, too
FLAT = 0.1  # sum of AC magnitudes up to which a block is constant, apart from float32 rounding
_HASH = np.random.default_rng(0).normal(size=BLOCK * BLOCK).astype(np.float32)


@dataclass(frozen=True)
class Planes:
    """Luminance and chrominance, centred on 0, float32 holding integers.

    Attributes:
        luma: (H, W), Y - 128.
        chroma: (2, H, W), Cb - 128 and Cr - 128; None for a gray photo.
        clipped: (H, W), whether a channel is 0 or 255 and may have been clipped.
    """

    luma: Array
    chroma: Array | None
    clipped: npt.NDArray[np.bool_]


def planes(photo: npt.NDArray[np.uint8]) -> Planes:
    """Invert the colour conversion of a JPEG decoder, exactly if nothing was clipped.

    A decoder computes R = Y + round(1.402 Cr) and so on, with integers Y, Cb and Cr. So the sum
    0.299 R + 0.587 G + 0.114 B is off by less than 1/2, and so are (R - Y) / 1.402 and (B - Y) /
    1.772.

    Args:
        photo: uint8 (H, W, 3), (H, W, 1) or (H, W).
    """
    if photo.ndim == 3 and (photo.shape[2] == 1 or _is_gray(photo)):
        photo = photo[..., 0]
    clipped = (photo == 0) | (photo == 255)
    levels = photo.astype(np.float32)
    if photo.ndim == 2:
        return Planes(levels - 128, None, clipped)
    red, green, blue = np.moveaxis(levels, 2, 0)
    luma = np.rint(np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue)
    chroma = np.stack([np.rint((blue - luma) / 1.772), np.rint((red - luma) / 1.402)])
    return Planes(luma - 128, chroma.astype(np.float32), clipped.any(axis=2))


def _is_gray(photo: npt.NDArray[np.uint8]) -> bool:
    first = photo[..., :1]
    return bool((photo[::7, ::7] == first[::7, ::7]).all()) and bool((photo == first).all())


def windows(plane: Array, clipped: npt.NDArray[np.bool_], most: int) -> Array:
    """The ``most`` windows (n, 15, 15) of a plane with the most detail and no clipping."""
    tiles = _tiles(plane, WINDOW)
    rough = np.abs(np.diff(tiles, axis=1)).mean((1, 2)) + np.abs(np.diff(tiles)).mean((1, 2))
    return tiles[_choice(rough, _tiles(clipped, WINDOW).sum((1, 2)), most)]


def blocks(
    plane: Array, clipped: npt.NDArray[np.bool_], phase: tuple[int, int], most: int
) -> Array:
    """DCT (n, 64) of the ``most`` blocks of a grid with the most detail; duplicates count once.

    Constant blocks are left out: their DC coefficients are multiples of 8 even without JPEG.
    """
    y, x = phase
    tiles = _tiles(plane[y:, x:], BLOCK)
    if not len(tiles):
        return np.zeros((0, BLOCK * BLOCK), np.float32)
    _, different = np.unique(tiles.reshape(len(tiles), -1) @ _HASH, return_index=True)
    spectra = transform(tiles[different])
    hidden = _tiles(clipped[y:, x:], BLOCK).sum((1, 2))[different]
    rough = np.abs(spectra[:, 1:]).sum(1)
    telling = rough > FLAT
    return spectra[telling][_choice(rough[telling], hidden[telling], most)]


def _tiles(plane: npt.NDArray, size: int) -> npt.NDArray:
    """(n, size, size): those that begin every 8 pixels."""
    if min(plane.shape) < size:
        return np.zeros((0, size, size), plane.dtype)
    view = np.lib.stride_tricks.sliding_window_view(plane, (size, size))
    return view[::BLOCK, ::BLOCK].reshape(-1, size, size)


def _choice(rough: Array, hidden: npt.NDArray, most: int) -> npt.NDArray[np.int64]:
    """Indices of the busiest tiles without clipping, or of the least clipped if those are few."""
    clean = np.flatnonzero(hidden == 0)
    if len(clean) >= FEW:
        return clean[np.argsort(-rough[clean], kind="stable")[:most]]
    order = np.lexsort((-rough, hidden))
    return order[: min(FEW, most)]
