"""Grid artefacts: JPEG blocks and checkerboards."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.metric.consistency import scale_of
from wildsr.metric.kind import LOWER, Setting, Single, at_least
from wildsr.pixels import luma

BLOCK = 8  # pixels of a JPEG block
FLOOR = 1e-4  # squared levels, of spectra: below it a window counts as flat
PERIODS = 16  # of the pattern, in a window of the checkerboard detector
CLIP = 4  # levels; steps of content are larger, and few of them would outweigh all others
AROUND = 3  # bins to each side that say what is there without a pattern


def blockiness(image: Tensor) -> Tensor:
    r"""Excess of pixel steps on the lines of an 8 x 8 grid, in levels of 255, (B,).

    .. math:: z_j = mean_i [|d_{i,j}| - \max(|d_{i,j-1}|, |d_{i,j+1}|)]_{-4}^{4}, \quad
        d_{i,j} = y_{i,j+1} - y_{i,j}

    of the luma y from 0 to 255: by how much a step is larger than those beside it (the activity
    that hides it). The mean of z over the columns of each phase j mod 8, the largest of the eight
    less their median (a crop may have moved the grid), at least 0; the mean of both directions.
    After Wang, Bovik and Evans 2000, "Blind measurement of blocking artifacts in images".

    Args:
        image: (B, 3, H, W), [0, 1]; sides of 16 pixels at least.
    """
    gray = 255 * luma(image.double())[:, 0]
    return (_steps(gray) + _steps(gray.transpose(1, 2))) / 2


def checkerboard(image: Tensor, period: int) -> Tensor:
    r"""Root mean square of the pattern that repeats every ``period`` pixels, in levels, (B,).

    Windows of 16 periods (Hann, half overlapping, their mean removed), and at each
    frequency (k, l) / period but (0, 0), how much more power there is than in the surroundings:

    .. math:: c^2 = \sum_{(k,l)} \max(0, \overline{P_{k,l} - A_{k,l}}), \quad
        P = |\sum w y e^{-2 \pi i f x}|^2 / (\sum w)^2, \quad A = median_{around} P

    The mean over windows weighs each by 1 / A: content hides a pattern, so that windows without
    much of it count most. A pattern of +a and -a on a chessboard gives a. Content and noise have
    smooth spectra, smooth interpolation a dip there; nearest neighbours and JPEG blocks (at scales
    2, 4 and 8, by their harmonics) do repeat on such a grid and are seen. (Odena et al. 2016 on
    where such patterns come from: transposed convolutions and pixel shuffles, of period s or 2.)

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
    """What is left of the LR photo's JPEG blocks; see :func:`blockiness`.

    Measured at the LR photo's size.

    The result is made small by antialiased bicubic first, because an upscaler smears a step over
    several pixels and its blocks are 8 s pixels wide.
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
    """The upscaler's checkerboard; see :func:`checkerboard`, of period s (2 at scale 1)."""

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
