"""Noise parameters of sensors other than 8-bit cameras: black level, noise of each channel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.network.degrader.sensor import SensorNoise

BLOCK = 8  # LR pixels a side
BINS = 12  # of brightness, with equally many blocks each
QUIET = 0.1  # quantile of the blocks' variance: noise is measured in the flattest blocks
BLOCKS = 20000  # of all photos, at most
# The difference of two Laplacians, 0 on planes and on parabolic cylinders (Immerkaer 1996, eq. 1).
_MASK = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])


def sensor_noise(photos: Sequence[Tensor]) -> SensorNoise:
    """Estimate the black level and each channel's noise level from flat regions of LR photos.

    The noise variance of a linear sensor is linear in the brightness (Foi et al. 2008, eq. 2):
    ``read^2 + shot^2 (x - black)``. The black level is where the line through the flat blocks'
    variances meets 0; if it does so below 0, the black level is 0, as signal-independent (read)
    noise cannot be told from it.

    Args:
        photos: (C, H, W) in [0, 1].
    """
    levels, variances = [], []
    for photo in photos:
        level, variance = _blocks(photo)
        levels.append(level)
        variances.append(variance)
    level, variance = torch.cat(levels, 1), torch.cat(variances, 1)
    if level.shape[1] > BLOCKS:
        chosen = torch.linspace(0, level.shape[1] - 1, BLOCKS).long()
        level, variance = level[:, chosen], variance[:, chosen]
    seen = [_line(level[c], variance[c]) for c in range(len(level))]
    x, y = torch.cat([s[0] for s in seen]), torch.cat([s[1] for s in seen])
    slope, base = _fitted(x, y)
    black = 0.0
    if slope > 0 and base < 0:
        black = float(min(-base / slope, float(x.min())))
    if len(level) in (1, 3):
        return SensorNoise(black)
    line = (slope * x + base).clamp(min=1e-3 * float(y.clamp(min=1e-12).mean()))
    shares = torch.stack([part.mean() for part in (y / line).split([len(s[0]) for s in seen])])
    each = (shares / shares.mean()).clamp(1e-3, 1e3).sqrt()
    return SensorNoise(black, tuple(round(float(value), 4) for value in each))


def _blocks(photo: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the noise of each block, (C, blocks) each."""
    image = photo[:, None].float()
    rest = F.conv2d(image, _MASK[None, None]).square() / 36
    return (
        F.avg_pool2d(image[..., 1:-1, 1:-1], BLOCK).flatten(1),
        F.avg_pool2d(rest, BLOCK).flatten(1),
    )


def _line(level: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Brightness and quiet variance, bin by bin."""
    usable = (level > 0) & (level < 1)
    level, variance = level[usable], variance[usable]
    order = level.argsort()
    found = []
    for part in order.chunk(BINS):
        if len(part) >= 10:
            quiet = variance[part].kthvalue(max(1, round(QUIET * len(part)))).values
            found.append((level[part].mean(), quiet))
    if not found:
        return torch.tensor([0.5]), torch.tensor([1e-6])
    return torch.stack([x for x, _ in found]), torch.stack([y for _, y in found])


def _fitted(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Slope and intercept of a line with relative errors, by iteratively reweighted fitting."""
    weight = 1 / y.clamp(min=0.05 * float(y.mean()))
    for _ in range(3):
        mean_x, mean_y = ((weight**2 * v).sum() / (weight**2).sum() for v in (x, y))
        spread = (weight**2 * (x - mean_x).square()).sum()
        if not spread > 0:
            return 0.0, float(mean_y)
        slope = (weight**2 * (x - mean_x) * (y - mean_y)).sum() / spread
        base = mean_y - slope * mean_x
        weight = 1 / (slope * x + base).clamp(min=0.05 * float(y.mean()))
    return float(slope), float(base)
