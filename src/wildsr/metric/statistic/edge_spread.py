"""Blur of a photo's strongest edges, by direction."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from wildsr.pixels import luma

FINE, COARSE = 0.7, 1.4  # pixels; standard deviations of the two Gaussians
INTEGRATION = 1.5  # pixels; of the window in which an edge must be straight
STRAIGHT = 0.7  # coherence of the gradient in that window: 0 in noise and corners, 1 on a line
STRONGEST = 0.02  # share of the pixels that are looked at, the steepest straight ones
FEWEST = 12  # edges needed for a direction, else NaN
DIRECTIONS = ("across 0°", "across 45°", "across 90°", "across 135°")  # of the gradient, x to y
WIDEST = 2.5  # pixels; larger standard deviations cannot be told apart: the slopes are equal
RISE = 2.563  # 10-90 % rise of a Gaussian-blurred step, in its standard deviations


def edge_spread(photo: Tensor) -> Tensor:
    r"""Measure the 10-90 % rise of the strongest straight edges, in pixels.

    A step blurred by a Gaussian of width s has, after a further Gaussian of width t, a slope of
    ``contrast / sqrt(2 pi (s^2 + t^2))``: the ratio R of the slopes at t = a and t = b does not
    depend on the contrast, and gives

    .. math:: s^2 = (b^2 - R^2 a^2) / (R^2 - 1), \qquad rise = 2.563 s

    (Zhuo and Sim 2011, "Defocus map estimation from a single image", eq. 7, there with a = 0). R
    is the median over the steepest 2 % of the pixels that lie on the crest of a straight edge.

    Args:
        photo: (3, H, W), 0 to 255.

    Returns:
        (1 + len(DIRECTIONS),) of all edges, then by direction of their gradient, in float64; NaN
        where there are fewer than 12.
    """
    gray = luma(photo.double())[0]
    fine, coarse = _gradient(gray, FINE), _gradient(gray, COARSE)
    slope, coarse_slope = fine.norm(dim=0), coarse.norm(dim=0)
    wanted = _crest(fine, slope) & (_coherence(fine) > STRAIGHT)
    wanted[[0, 1, 2, -3, -2, -1]] = False  # the border is reflected, not seen
    wanted[:, [0, 1, 2, -3, -2, -1]] = False
    found = torch.full((1 + len(DIRECTIONS),), torch.nan, dtype=torch.float64)
    places = wanted.flatten().nonzero()[:, 0]
    slopes = slope.flatten()[places]
    places = places[slopes > 0]
    count = min(len(places), int(STRONGEST * gray.numel()))
    places = places[slope.flatten()[places].argsort(descending=True)[:count]]
    ratio = slope.flatten()[places] / coarse_slope.flatten()[places].clamp(min=1e-9)
    x, y = fine.flatten(1)[:, places]
    sector = (torch.atan2(y, x) / (math.pi / len(DIRECTIONS))).round().long() % len(DIRECTIONS)
    for number in range(1 + len(DIRECTIONS)):
        own = ratio if number == 0 else ratio[sector == number - 1]
        if len(own) >= FEWEST:
            found[number] = _rise(own.median())
    return found


def _rise(ratio: Tensor) -> Tensor:
    square = ratio.clamp(min=1 + 1e-3).square()
    variance = (COARSE**2 - square * FINE**2) / (square - 1)
    return RISE * variance.clamp(min=0, max=WIDEST**2).sqrt()


def _gradient(gray: Tensor, width: float) -> Tensor:
    """(2, H, W) x and y derivatives of the blurred image, by the derivative of a Gaussian."""
    radius = math.ceil(4 * width)
    t = torch.arange(-radius, radius + 1, dtype=gray.dtype)
    smooth = torch.softmax(-0.5 * (t / width) ** 2, 0)
    slope = t * smooth
    slope = slope / (slope * t).sum()  # a ramp has its slope
    padded = F.pad(gray[None, None], 4 * (radius,), mode="replicate")
    x = F.conv2d(F.conv2d(padded, slope.view(1, 1, 1, -1)), smooth.view(1, 1, -1, 1))
    y = F.conv2d(F.conv2d(padded, smooth.view(1, 1, 1, -1)), slope.view(1, 1, -1, 1))
    return torch.cat([x, y])[:, 0]


def _crest(gradient: Tensor, slope: Tensor) -> Tensor:
    """Where the slope is no smaller than a pixel further along the gradient, on both sides."""
    x, y = gradient / slope.clamp(min=1e-9)
    height, width = slope.shape
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=slope.dtype),
        torch.arange(width, dtype=slope.dtype),
        indexing="ij",
    )
    crest = torch.ones_like(slope, dtype=torch.bool)
    for side in (-1, 1):
        place = torch.stack(
            [
                2 * (columns + side * x) / max(width - 1, 1) - 1,
                2 * (rows + side * y) / max(height - 1, 1) - 1,
            ],
            -1,
        )
        beside = F.grid_sample(
            slope[None, None], place[None], padding_mode="border", align_corners=True
        )
        crest &= slope >= beside[0, 0]
    return crest


def _coherence(gradient: Tensor) -> Tensor:
    """((l1 - l2) / (l1 + l2))^2 with the eigenvalues of the structure tensor, (H, W)."""
    x, y = gradient
    radius = math.ceil(3 * INTEGRATION)
    t = torch.arange(-radius, radius + 1, dtype=x.dtype)
    taps = torch.softmax(-0.5 * (t / INTEGRATION) ** 2, 0)
    products = F.pad(torch.stack([x * x, y * y, x * y])[:, None], 4 * (radius,), mode="replicate")
    rows = F.conv2d(products, taps.view(1, 1, 1, -1))
    xx, yy, xy = F.conv2d(rows, taps.view(1, 1, -1, 1))[:, 0]
    return ((xx - yy) ** 2 + 4 * xy**2) / (xx + yy).clamp(min=1e-9) ** 2
