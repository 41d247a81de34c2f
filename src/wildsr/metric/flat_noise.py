"""The noise of one photo, by brightness, and how it is correlated: measured where it is flat."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.stats import chi2
from torch import Tensor

WINDOW = 8  # pixels a side
STEP = 4  # pixels between windows
QUIETEST = 0.1  # share of the windows of a brightness that are taken for flat
LEVELS = 8  # of brightness
FEWEST = 40  # windows of a brightness, or nothing is said about it
CLIPPED = 8.0  # 1/255; means nearer to black or white than this have lost a part of their noise
LAGS = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))  # (down, right), in pixels


@dataclass(frozen=True)
class FlatNoise:
    """The noise of one photo.

    Attributes:
        std: (LEVELS,) standard deviation in 1/255 at each brightness; NaN where too little of the
            photo is so bright.
        correlation: (len(LAGS),) between pixels that far apart, -1 to 1; NaN where there is no
            noise at all.
    """

    std: Tensor
    correlation: Tensor


def flat_noise(photo: Tensor) -> FlatNoise:
    """What remains of the flattest windows of a photo when its smooth shading is subtracted.

    From every 8x8 window of every channel its best quadratic surface is subtracted. Of windows of
    like brightness (``LEVELS`` equal steps), the ``QUIETEST`` share are taken for flat: were all
    flat, their largest variance v would be that quantile of ``sigma^2 chi^2_58 / 58``, from which
    sigma follows. Where less than all is flat the figure is somewhat too high, by the same amount
    for photos of like scenes.

    Args:
        photo: (3, H, W), 0 to 255, sides of at least 8 pixels.

    Returns:
        Standard deviations and correlations, in float64.
    """
    windows = photo.double().unfold(1, WINDOW, STEP).unfold(2, WINDOW, STEP)
    windows = windows.reshape(-1, WINDOW * WINDOW)
    brightness = windows.mean(1)
    windows = windows[(brightness > CLIPPED) & (brightness < 255 - CLIPPED)]
    brightness = windows.mean(1)
    surface = _quadratics()
    rest = windows - windows @ surface @ surface.T
    freedom = WINDOW**2 - surface.shape[1]
    variance = rest.square().sum(1) / freedom
    level = (brightness * LEVELS / 256).long()
    expected = chi2.ppf(QUIETEST, freedom) / freedom
    std, flat = torch.full((LEVELS,), torch.nan, dtype=torch.float64), []
    for number in range(LEVELS):
        own = (level == number).nonzero()[:, 0]
        if len(own) < FEWEST:
            continue
        quiet = own[variance[own].argsort()[: max(int(QUIETEST * len(own)), 1)]]
        std[number] = (variance[quiet[-1]] / expected).sqrt()
        flat.append(rest[quiet])
    correlation = torch.full((len(LAGS),), torch.nan, dtype=torch.float64)
    return FlatNoise(std, _correlation(torch.cat(flat), surface) if flat else correlation)


def _quadratics() -> Tensor:
    """Orthonormal basis (64, 6) of the quadratic surfaces over a window."""
    t = torch.linspace(-1, 1, WINDOW, dtype=torch.float64)
    y, x = (axis.flatten() for axis in torch.meshgrid(t, t, indexing="ij"))
    return torch.linalg.qr(torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y], 1))[0]


def _correlation(rest: Tensor, surface: Tensor) -> Tensor:
    """Of the remainders (n, 64) at each lag, less what white noise would show.

    Subtracting a surface makes white noise slightly anticorrelated: its covariance becomes ``1 - Q
    Q^T``, whose mean at each lag is known.
    """
    grid = rest.view(-1, WINDOW, WINDOW)
    energy = grid.square().mean()
    white = (torch.eye(WINDOW**2) - surface @ surface.T).view(4 * (WINDOW,))
    found = []
    for down, right in LAGS:
        here, there = slice(0, WINDOW - down), slice(0, WINDOW - right)
        product = (grid[:, here, there] * grid[:, down:, right:]).mean()
        pairs = [
            white[y, x, y + down, x + right]
            for y in range(WINDOW - down)
            for x in range(WINDOW - right)
        ]
        bias = torch.stack(pairs).mean() / (1 - surface.shape[1] / WINDOW**2)
        found.append(product / energy - bias)
    return torch.stack(found)  # 0 / 0 is NaN: no noise, no correlation
