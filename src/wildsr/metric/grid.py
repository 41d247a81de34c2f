"""Grid artefacts: JPEG blocks and checkerboards."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.metric.consistency import scale_of
from wildsr.metric.kind import LOWER, Setting, Single, at_least
from wildsr.pixels import luma

BLOCK = 8  # pixels of a JPEG block
FLOOR = 1e-4  # (1/255)^2, of power spectra: below it a window counts as flat
PERIODS = 16  # side of a window of the checkerboard detector, in periods of the pattern
CLIP = 4  # 1/255; clips the large steps of image content, which would outweigh all others
AROUND = 3  # frequency bins to each side, from which the power without a pattern is estimated


def blockiness(image: Tensor) -> Tensor:
    r"""Excess of pixel differences at the borders of 8 x 8 blocks, in 1/255, (B,).

    .. math:: z_j = mean_i [|d_{i,j}| - \max(|d_{i,j-1}|, |d_{i,j+1}|)]_{-4}^{4}, \quad
        d_{i,j} = y_{i,j+1} - y_{i,j}

    of the luma y from 0 to 255: by how much a step exceeds its neighbours (local activity masks
    blocking). z is averaged over the columns of each phase j mod 8; the result is the largest of
    the eight means (a crop may have shifted the grid) minus their median, at least 0, averaged
    over both directions. After Wang, Bovik and Evans 2000, "Blind measurement of blocking artifacts
    in images".

    Args:
        image: (B, 3, H, W), [0, 1]; sides of 16 pixels at least.
    """
    gray = 255 * luma(image.double())[:, 0]
    return (_steps(gray) + _steps(gray.transpose(1, 2))) / 2


def checkerboard(image: Tensor, period: int) -> Tensor:
    r"""Root mean square of the pattern that repeats every ``period`` pixels, in 1/255, (B,).

    In windows of 16 periods (Hann, half overlapping, mean removed), it measures how much the power
    at each frequency (k, l) / period except (0, 0) exceeds that of its surroundings:

    .. math:: c^2 = \sum_{(k,l)} \max(0, \overline{P_{k,l} - A_{k,l}}), \quad
        P = |\sum w y e^{-2 \pi i f x}|^2 / (\sum w)^2, \quad A = median_{around} P

    The mean over windows weighs each by 1 / A: content masks a pattern, so windows with little
    content count most. A chessboard of +a and -a gives a. Content and noise have smooth spectra
    and hardly count; nearest-neighbour interpolation and JPEG blocks (at scales 2, 4 and 8, by
    their harmonics) are periodic, too, and do. (Odena et al. 2016: such patterns come from
    transposed convolutions and pixel shuffles, with period s or 2.)

    Args:
        image: (B, 3, H, W), [0, 1]; sides of 16 periods at least.
        period: in pixels, 2 at least.
    """
    side = PERIODS * period
    gray = 255 * luma(image.double())[:, 0]
    windows = gray.unfold(1, side, side // 2).unfold(2, side, side // 2)  # (B, n, m, side, side)
    hann = torch.hann_window(side, periodic=True, dtype=gray.dtype, device=gray.device)
    near = torch.arange(-AROUND, AROUND + 1, device=gray.device)
    beside = ((near[:, None].abs() > 1) | (near[None].abs() > 1)).flatten()  # a peak is 3 wide
    excess, weights = (gray.new_zeros(len(gray), period, period) for _ in range(2))
    for row in windows.unbind(1):  # (B, m, side, side): bounded memory
        row = row - row.mean(dim=(2, 3), keepdim=True)
        power = torch.fft.fft2(row * torch.outer(hann, hann)).abs().square() / hann.sum() ** 4
        for k in range(period):
            for m in range(period):
                at = (PERIODS * i + near for i in (k, m))
                rows, columns = (i % side for i in at)
                patch = power[:, :, rows][..., columns].flatten(2)
                around = patch[..., beside].median(dim=2).values
                weight = 1 / (around + FLOOR)
                excess[:, k, m] += ((power[:, :, PERIODS * k, PERIODS * m] - around) * weight).sum(
                    1
                )
                weights[:, k, m] += weight.sum(1)
    found = excess / weights
    found[:, 0, 0] = 0
    return found.clamp_min(0).sum(dim=(1, 2)).sqrt()


def blocks(setting: Setting) -> Single:
    """JPEG blocking of the LR photo left in the result; see :func:`blockiness`.

    The result is first downscaled to LR size by antialiased bicubic, because an upscaler smears a
    step over several pixels and its blocks are 8 s pixels wide.
    """

    def measure(sr: Tensor, lr: Tensor) -> float:
        at_least(lr, 2 * BLOCK, "The blockiness, in LR pixels,")
        return blockiness(downscale(sr, scale_of(sr, lr)).clamp(0, 1)).item()

    return Single(
        title="blockiness",
        better=LOWER,
        unit="levels",
        decimals=3,
        protocol={"grid": f"{BLOCK} LR pixels, any phase", "pixels": "luma", "border": 0},
        measure=measure,
    )


def checkers(setting: Setting) -> Single:
    """Checkerboard pattern, see :func:`checkerboard`, with period s (2 at scale 1), in 1/255."""

    def measure(sr: Tensor, lr: Tensor) -> float:
        period = max(2, scale_of(sr, lr))
        at_least(sr, PERIODS * period, "The checkerboard detector")
        return checkerboard(sr, period).item()

    return Single(
        title="checkerboard",
        better=LOWER,
        unit="levels",
        decimals=3,
        protocol={"period": "the scale", "windows": f"{PERIODS} periods", "pixels": "luma"},
        measure=measure,
    )


def _steps(gray: Tensor) -> Tensor:
    """The excess of the steps between columns at the strongest phase, (B,)."""
    steps = gray.diff(dim=2).abs()
    excess = steps[..., 1:-1] - torch.maximum(steps[..., :-2], steps[..., 2:])
    excess = excess.clamp(-CLIP, CLIP).mean(dim=1)  # (B, W - 3)
    phases = torch.stack([excess[:, p::BLOCK].mean(dim=1) for p in range(BLOCK)], dim=1)
    return (phases.max(dim=1).values - phases.median(dim=1).values).clamp_min(0)
