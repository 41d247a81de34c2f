"""Noise of a photo's flat regions: its level by brightness, and its correlation."""

from __future__ import annotations

from functools import cache

import torch
from scipy.stats import chi2
from torch import Tensor

WINDOW, STEP = 5, 2  # pixels: side of the windows for the level, and between them
QUIETEST = 0.05  # share of the windows of a brightness that are taken for flat
LEVELS = 8  # of brightness
FEWEST = 60  # windows needed of a brightness, else NaN
CLIPPED = 8.0  # 1/255; closer to black or white, a part of the noise is clipped

WIDE, WIDE_STEP = 8, 4  # window and step for the correlation, which needs larger windows
WIDE_QUIETEST = 0.1
LAGS = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))  # (down, right), in pixels


def flat_noise(photo: Tensor) -> Tensor:
    """Estimate the standard deviation of the noise at each brightness.

    A least-squares quadratic surface is subtracted from every 5x5 window of every channel. Of the
    windows of similar brightness (``LEVELS`` equal steps) the quietest 5 % are taken for flat: if
    all windows were flat, the largest variance among these would be that quantile of
    ``sigma^2 chi^2_19 / 19``, from which sigma follows. If fewer are flat, the estimate is too
    high, by about the same factor in photos of similar scenes; for correlated noise it is too low,
    because a part of the noise is taken for shading.

    Args:
        photo: (3, H, W), 0 to 255.

    Returns:
        (LEVELS,) in 1/255, float64; NaN for a brightness that too few windows have.
    """
    windows, brightness = _windows(photo, WINDOW, STEP)
    rest, freedom = _without_shading(windows, WINDOW)
    variance = rest.square().sum(1) / freedom
    level = (brightness * LEVELS / 256).long()
    expected = chi2.ppf(QUIETEST, freedom) / freedom
    std = torch.full((LEVELS,), torch.nan, dtype=torch.float64)
    for number in range(LEVELS):
        own = variance[level == number]
        if len(own) >= FEWEST:
            std[number] = (own.quantile(QUIETEST) / expected).sqrt()
    return std


def noise_correlation(photo: Tensor) -> Tensor:
    """Estimate the correlation of the noise between pixels some distance apart.

    Measured in the quietest tenth of all 8x8 windows after subtracting quadratic surfaces. What
    white noise would show is subtracted: its covariance becomes ``1 - Q Q^T``, Q an orthonormal
    basis of the surfaces.

    Args:
        photo: (3, H, W), 0 to 255.

    Returns:
        (len(LAGS),) -1 to 1, float64: about 0 for white noise, NaN if there is none. Coarse noise
        is underestimated, because a part of it is taken for shading: noise filtered by a Gaussian
        of 0.7 pixels has a correlation of 0.60 to the right, and 0.37 is measured.
    """
    windows, _ = _windows(photo, WIDE, WIDE_STEP)
    rest, _ = _without_shading(windows, WIDE)
    energy = rest.square().mean(1)
    grid = rest[energy.argsort()[: max(int(WIDE_QUIETEST * len(rest)), 1)]].view(-1, WIDE, WIDE)
    found = []
    for down, right in LAGS:
        pairs = grid[:, : WIDE - down, : WIDE - right] * grid[:, down:, right:]
        found.append(pairs.mean() / grid.square().mean() - _white(down, right))
    return torch.stack(found)  # 0 / 0 is NaN


def _windows(photo: Tensor, side: int, step: int) -> tuple[Tensor, Tensor]:
    """(n, side^2) of all channels, and their means, where nothing is clipped."""
    windows = photo.double().unfold(1, side, step).unfold(2, side, step).reshape(-1, side * side)
    brightness = windows.mean(1)
    seen = (brightness > CLIPPED) & (brightness < 255 - CLIPPED)
    return windows[seen], brightness[seen]


def _without_shading(windows: Tensor, side: int) -> tuple[Tensor, int]:
    """Residuals of windows after fitting quadratic surfaces, and their degrees of freedom."""
    surface = _quadratics(side)
    return windows - windows @ surface @ surface.T, side * side - surface.shape[1]


@cache
def _quadratics(side: int) -> Tensor:
    """Orthonormal basis (side^2, 6) of the quadratic surfaces over a window."""
    t = torch.linspace(-1, 1, side, dtype=torch.float64)
    y, x = (axis.flatten() for axis in torch.meshgrid(t, t, indexing="ij"))
    return torch.linalg.qr(torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y], 1))[0]


@cache
def _white(down: int, right: int) -> Tensor:
    """The correlation that white noise shows at a lag after the subtraction."""
    surface = _quadratics(WIDE)
    covariance = (torch.eye(WIDE**2) - surface @ surface.T).view(4 * (WIDE,))
    pairs = [
        covariance[y, x, y + down, x + right]
        for y in range(WIDE - down)
        for x in range(WIDE - right)
    ]
    return torch.stack(pairs).mean() / (1 - surface.shape[1] / WIDE**2)
