"""Render crops of sharp photos as a camera would take them, and compute their statistics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wildsr.calibration.statistics import statistics
from wildsr.degradation.blur import centred_grid
from wildsr.degradation.coding import Coding, coded_each
from wildsr.degradation.fringes import Fringes, places
from wildsr.network.degrader.physics import MARGIN, kernel_size, kernels, seen
from wildsr.network.degrader.sensor import QUIET, by_channel
from wildsr.pixels import in_unit

BORDER = 6  # LR pixels around a window, where the Fourier transform wraps around
TOGETHER = 15  # windows rendered at once
Photo = npt.NDArray[Any]  # (H, W, C): uint8, or floats in [0, 1] for sensors of more than 8 bits


class SharpWindows:
    """Crops (windows) of sharp photos, stored as Fourier transforms, so that blurring is fast.

    Args:
        photos: (H, W, C) each; those too small for a window are left out.
        count: number of windows, one or more of each photo.
        scale: HR pixels for each LR pixel.
        window: side in LR pixels.
        random: source of the random choices.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        count: int,
        scale: int,
        window: int,
        random: np.random.Generator,
    ) -> None:
        self.scale, self.side = scale, (window + 2 * BORDER) * scale
        self.deep = bool(len(photos)) and photos[0].dtype != np.uint8
        self.sensor = QUIET  # of the camera that is simulated
        large = [photo for photo in photos if min(photo.shape[:2]) >= self.side]
        order = [random.permutation(len(large)) for _ in range(-(-count // max(len(large), 1)))]
        chosen = [large[i] for i in np.concatenate(order)[:count]] if large else []
        # A kernel is even around its centre, so its spectrum is real: products of cosines of rows
        # and columns, less those of sines; each column twice, as it filters complex numbers.
        # The centre is where the first pixel is sampled; the windows are shifted by that once.
        half, taps = self.side // 2 + 1, centred_grid(kernel_size(scale), scale)[0, 0]
        index = torch.arange(self.side)
        signed = torch.where(index < half, index, index - self.side) / self.side
        angles = 2 * math.pi * signed[:, None] * taps
        self.rows = torch.cat([angles.cos(), -angles.sin()], 1)
        columns = angles[:half].T.repeat_interleave(2, 1)
        self.cosines, self.sines = columns.cos(), columns.sin()
        self.signed = signed  # cycles per HR pixel
        shift = torch.exp(1j * math.pi * (scale - 1) * signed)
        squares = cut(chosen, self.side, random)
        self.spectra = squares[..., :half].to(torch.complex64)  # of none, which MKL refuses
        if len(squares):
            self.spectra = torch.fft.rfft2(squares)
        self.spectra *= shift[:, None] * shift[:half]

    def __len__(self) -> int:
        return len(self.spectra)

    def displace(self, fringes: Fringes) -> None:
        """Displace the channels as a camera does, in each window at another place of a photo."""
        half = self.spectra.shape[-1]
        apart = self.scale * fringes.at(places(len(self)))
        for window, moved in zip(self.spectra, apart, strict=True):
            x, y = (torch.exp(-2j * math.pi * self.signed * by[:, None]) for by in moved.unbind(1))
            window *= y[:, :, None] * x[:, None, :half]

    def blurred(self, index: Tensor, cameras: Tensor) -> Tensor:
        """Blur and sample each window by its own camera, without noise: (B, C, window, window).

        Sampling is done by folding the spectrum before it is transformed back.

        Args:
            index: (B,) of the windows.
            cameras: (B, P).
        """
        taps = kernels(cameras, self.scale)
        response = self.rows @ torch.cat([taps @ self.cosines, taps @ self.sines], 1)
        spectra = torch.view_as_real(_chosen(self.spectra, index)).flatten(3)
        side = self.side // self.scale
        seen = spectra[:, :, :side] * response[:, None, :side]
        for start in range(side, self.side, side):
            rows = slice(start, start + side)
            seen.addcmul_(spectra[:, :, rows], response[:, None, rows])
        seen = _folded(torch.view_as_complex(seen.unflatten(3, (-1, 2))), side, self.scale)
        lr = torch.fft.irfft2(seen, (side, side)) / self.scale**2
        return lr[..., BORDER:-BORDER, BORDER:-BORDER]


def _chosen(windows: Tensor, index: Tensor) -> Tensor:
    """Those windows; without a copy if they follow each other."""
    first = int(index[0])
    if torch.equal(index, torch.arange(first, first + len(index))):
        return windows[first : first + len(index)]
    return windows[index]


def _folded(spectra: Tensor, side: int, scale: int) -> Tensor:
    """Half spectra (..., side, scale side / 2 + 1) of real images, after sampling their columns.

    Every frequency gets those that sampling cannot tell from it: (..., side, side / 2 + 1). The
    upper half of a spectrum is the lower one, conjugated, at the negative frequencies.
    """
    half = side // 2
    lower = [spectra[..., side * n : side * n + half + 1] for n in range((scale + 1) // 2)]
    upper = [spectra[..., side * n - half : side * n + 1] for n in range(1, scale // 2 + 1)]
    found = reduce(torch.add, lower)
    if upper:
        negative = -torch.arange(side) % side
        found = found + reduce(torch.add, upper)[..., negative, :].flip(-1).conj()
    return found


def cut(photos: Sequence[Photo], side: int, random: np.random.Generator) -> Tensor:
    """Cut one random square out of each photo: (n, C, side, side) in [0, 1]."""
    kind = photos[0] if len(photos) else np.empty((0, 0, 3), np.uint8)
    squares = np.empty((len(photos), side, side, kind.shape[2]), kind.dtype)
    for square, photo in zip(squares, photos, strict=True):
        top, left = (int(random.integers(length - side + 1)) for length in photo.shape[:2])
        square[:] = photo[top : top + side, left : left + side]
    return in_unit(torch.from_numpy(squares).permute(0, 3, 1, 2))


def simulated(
    sharp: SharpWindows,
    index: Tensor,
    cameras: Tensor,
    codings: Sequence[Coding | None],
    random: np.random.Generator,
) -> Tensor:
    """Statistics (n, D) of the windows ``index`` (n,), each with its own camera and coding.

    Runs in as many threads as torch has, ``TOGETHER`` windows at a time. All random numbers are
    drawn in one order, so the result does not depend on the number of threads.

    Args:
        sharp: the windows.
        index: (n,) of the windows.
        cameras: (n, P).
        codings: n of them; None for no lossy coding.
        random: source of all random numbers.
    """
    generator = torch.Generator().manual_seed(int(random.integers(2**62)))
    side = sharp.side // sharp.scale - 2 * BORDER
    channels = sharp.spectra.shape[1] + 1

    def draws() -> Iterator[tuple[slice, Tensor, list[tuple[int, int]]]]:
        for start in range(0, len(index), TOGETHER):
            part = slice(start, start + TOGETHER)
            count = len(index[part])
            noise = torch.randn((count, channels, *[side + 2 * MARGIN] * 2), generator=generator)
            yield part, noise, [(int(y), int(x)) for y, x in random.integers(0, 16, (count, 2))]

    def shown(drawn: tuple[slice, Tensor, list[tuple[int, int]]]) -> Tensor:
        part, noise, phases = drawn
        clean = sharp.blurred(index[part], cameras[part])
        noise = by_channel(noise, sharp.sensor)
        taken = seen(clean, cameras[part], noise, sharp.sensor.black)
        kept = taken.clamp(0, 1) if sharp.deep else coded_each(taken, codings[part], phases)
        return statistics(kept)

    with one_thread_each() as threads, ThreadPoolExecutor(threads) as pool:
        return torch.cat(list(pool.map(shown, draws())))


@contextmanager
def one_thread_each() -> Iterator[int]:
    """Within the block, torch uses one thread: for running many small operations in own threads.

    Yields:
        How many threads torch had; it has them again afterwards.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
