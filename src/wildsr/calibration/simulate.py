"""Windows of sharp photos as any camera would take them, and what these show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.calibration.statistics import statistics
from wildsr.degradation.coding import Coding, coded_each
from wildsr.network.degrader.physics import MARGIN, kernel_size, kernels, seen

BORDER = 6  # LR pixels around a window, where the transform goes round the image
TOGETHER = 25  # windows rendered at once
Photo = npt.NDArray[np.uint8]


class SharpWindows:
    """Windows of sharp photos, kept with their Fourier transforms: blurring costs one product.

    Args:
        photos: (H, W, 3) each; those too small for a window are left out.
        count: of the windows, one or more of each photo.
        scale: HR pixels for each LR pixel.
        window: side in LR pixels.
        random: source of the choice.
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
        large = [photo for photo in photos if min(photo.shape[:2]) >= self.side]
        order = [random.permutation(len(large)) for _ in range(-(-count // max(len(large), 1)))]
        chosen = [large[i] for i in np.concatenate(order)[:count]] if large else []
        self.spectra = torch.fft.rfft2(cut(chosen, self.side, random))

    def __len__(self) -> int:
        return len(self.spectra)

    def blurred(self, index: Tensor, cameras: Tensor) -> Tensor:
        """(B, 3, window, window): each chosen window as a camera (B, P) sees it without noise."""
        size, start = kernel_size(self.scale), (self.scale - 1) // 2
        taps = F.pad(kernels(cameras, self.scale), [0, self.side - size] * 2)
        taps = torch.fft.rfft2(taps.roll((-(size // 2),) * 2, (1, 2)))[:, None]
        seen = torch.fft.irfft2(self.spectra[index] * taps.conj(), s=(self.side, self.side))
        seen = seen[..., start :: self.scale, start :: self.scale]
        return seen[..., BORDER:-BORDER, BORDER:-BORDER]


def cut(photos: Sequence[Photo], side: int, random: np.random.Generator) -> Tensor:
    """One square of each photo, anywhere: (n, 3, side, side) in [0, 1]."""
    squares = np.empty((len(photos), side, side, 3), np.uint8)
    for square, photo in zip(squares, photos, strict=True):
        top, left = (int(random.integers(length - side + 1)) for length in photo.shape[:2])
        square[:] = photo[top : top + side, left : left + side]
    return torch.from_numpy(squares).permute(0, 3, 1, 2).float().div_(255)


def simulated(
    sharp: SharpWindows,
    index: Tensor,
    cameras: Tensor,
    codings: Sequence[Coding | None],
    random: np.random.Generator,
) -> Tensor:
    """Statistics (n, D) of the windows ``index`` (n,), each by a camera and a coding of its own."""
    generator = torch.Generator().manual_seed(int(random.integers(2**62)))
    found = []
    for start in range(0, len(index), TOGETHER):
        part = slice(start, start + TOGETHER)
        clean = sharp.blurred(index[part], cameras[part])
        size = (len(clean), 4, clean.shape[2] + 2 * MARGIN, clean.shape[3] + 2 * MARGIN)
        taken = seen(clean, cameras[part], torch.randn(size, generator=generator))
        phases = [(int(y), int(x)) for y, x in random.integers(0, 16, (len(clean), 2))]
        found.append(statistics(coded_each(taken, codings[part], phases)))
    return torch.cat(found)
