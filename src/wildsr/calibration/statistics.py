"""Statistics of a photo's windows that depend on its camera: spectra, flat regions, edges."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from wildsr.pixels import LUMA

WINDOW = 64  # LR pixels a side
PIECE = 16  # LR pixels a side of the pieces whose spectra are taken, overlapping by half
QUIET = 0.15  # quantile over the pieces: noise is measured in the flattest ones
FLOOR = 0.1  # (1/255)^2, about 8-bit rounding noise; added, as JPEG leaves blocks with 0 power
STEEP = 0.015  # share of the pixels that count as edges
STEEPEST = 0.993  # quantile of the slopes that is the steepest slope
BANDS = (0.5, 2.3, 4.3, 6.3, 8.01)  # limits in cycles per piece; above the last: the corners
DIRECTIONS = (0, 45, 90, 135)  # degrees of a gradient or a wave, from right to down
FINE, COARSE = 0.6, 1.3  # LR pixels; standard deviations of the two derivatives of an edge

NAMES = (
    *(f"power {band}, {angle} degrees" for band in range(1, 5) for angle in DIRECTIONS),
    "power 5",
    *(f"quiet power {band}" for band in range(1, 6)),
    "quiet blue, low",
    "quiet blue, high",
    "quiet red, low",
    "quiet red, high",
    "quiet power where dark",
    "quiet power where bright",
    "level where dark",
    "level where bright",
    *(f"steepest slopes, {angle} degrees" for angle in DIRECTIONS),
    *(f"sharpness of edges, {angle} degrees" for angle in DIRECTIONS),
    "contrast of edges",
)
_YCC = (LUMA, (-0.1687, -0.3313, 0.5), (0.5, -0.4187, -0.0813))


def statistics(windows: Tensor) -> Tensor:
    """Statistics of each window, (B, len(NAMES)), in dB, except for the brightness levels.

    Power: of the luma in four frequency bands and four directions, the mean over pieces of 16x16
    pixels (Hann). Quiet power: its ``QUIET`` quantile over the pieces, all directions together, for
    luma and both colour differences, and for luma separately in the darker and the brighter half of
    the pieces. Edges: by how much the steepest slopes are steeper in a fine derivative than in a
    coarse one, which depends on the blur and hardly on the scene. Levels and contrast do not depend
    on the camera; they account for differences between scenes.

    With one channel the colour differences are 0; with a number other than three the luma is the
    mean, and the colour differences are those of the last and of the first channel to it.

    Args:
        windows: (B, C, H, W) in [0, 1], sides of 32 pixels at least.
    """
    ycc = torch.einsum("kc,bchw->bkhw", _planes(windows), windows * 255)
    pieces = ycc.unfold(2, PIECE, PIECE // 2).unfold(3, PIECE, PIECE // 2)
    pieces = pieces.reshape(len(windows), ycc.shape[1], -1, PIECE, PIECE)
    level = pieces.mean((3, 4), keepdim=True)
    directed, rings, taper = (part.to(windows) for part in _bands())
    waves = torch.fft.rfft2((pieces - level) * taper)
    power = (waves.real.square() + waves.imag.square()).flatten(3)
    luma = power[:, 0] @ rings.T  # (B, pieces, bands)
    found = [_decibel((power[:, 0] @ directed.T).mean(1)), _decibel(luma[..., 4:].mean(1))]
    found.append(_decibel(_quantile(luma.transpose(1, 2), QUIET)))
    if power.shape[1] == 1:
        found.append(_decibel(torch.zeros_like(luma[:, 0, :4])))
    for colour in range(1, power.shape[1]):
        quiet = _quantile((power[:, colour] @ rings.T).transpose(1, 2), QUIET)
        found.append(_decibel(quiet[:, 1::2]))
    level = level[:, 0, :, 0, 0]
    order = level.argsort(1)
    halves = order[:, : order.shape[1] // 2], order[:, order.shape[1] // 2 :]
    high = luma[..., 3]
    found += [_decibel(_quantile(high.gather(1, half), QUIET))[:, None] for half in halves]
    found += [level.gather(1, half).mean(1, keepdim=True) / 16 for half in halves]
    found += _edges(ycc[:, 0])
    return torch.cat(found, 1)


def _planes(windows: Tensor) -> Tensor:
    """What luma and both colour differences take of each channel, (3, C); of gray (1, 1)."""
    channels = windows.shape[1]
    if channels == 3:
        return windows.new_tensor(_YCC)
    mean = windows.new_full((1, channels), 1 / channels)
    if channels == 1:
        return mean
    ends = torch.eye(channels, dtype=windows.dtype, device=windows.device)[[-1, 0]]
    return torch.cat([mean, 0.5 * (ends - mean) * channels / (channels - 1)])


def _edges(luma: Tensor) -> list[Tensor]:
    fine, coarse = (_slopes(luma, width).abs().flatten(2) for width in (FINE, COARSE))
    steeper = fine.shape[-1] - round(STEEPEST * (fine.shape[-1] - 1))  # pixels from there on
    top = fine.topk(max(int(STEEP * fine.shape[-1]), 8, steeper), -1)
    steep_fine = top.values[..., steeper - 1]
    steep_coarse = coarse.topk(steeper, -1).values[..., -1]
    ratio = top.values / (coarse.gather(2, top.indices) + 0.3)
    return [
        20 * ((steep_fine + 0.1) / (steep_coarse + 0.1)).log10(),
        20 * _quantile(ratio.clamp(0.1, 8), 0.5).log10(),
        20 * (steep_coarse.mean(1, keepdim=True) + 0.1).log10(),
    ]


def _slopes(luma: Tensor, width: float) -> Tensor:
    """(B, 4, h, w) derivatives of the blurred luma along ``DIRECTIONS``."""
    taps = torch.arange(-5, 6, device=luma.device, dtype=luma.dtype)
    smooth = torch.softmax(-0.5 * (taps / width) ** 2, 0)
    slope = taps * smooth / (taps.square() * smooth).sum()  # a ramp has its slope
    high, wide = luma.shape[1:]
    along, across = _banded(slope, wide), _banded(smooth, wide)
    down, beside = _banded(slope, high).T, _banded(smooth, high).T
    x, y = (
        (rows @ (luma @ columns))[:, None] for rows, columns in ((beside, along), (down, across))
    )
    return torch.cat([x, (x + y) / math.sqrt(2), y, (x - y) / math.sqrt(2)], 1)


def _banded(taps: Tensor, length: int) -> Tensor:
    """The matrix (length, length - n + 1) that correlates rows with n taps, without borders."""
    places = torch.arange(length, device=taps.device)
    offsets = places[:, None] - places[: length - len(taps) + 1]
    inside = (offsets >= 0) & (offsets < len(taps))
    return torch.where(inside, taps[offsets.clamp(0, len(taps) - 1)], taps.new_zeros(()))


def _decibel(power: Tensor) -> Tensor:
    return 10 * (power + FLOOR).log10()


def _quantile(x: Tensor, share: float) -> Tensor:
    return x.kthvalue(round(share * (x.shape[-1] - 1)) + 1, -1).values


@cache
def _bands() -> tuple[Tensor, Tensor, Tensor]:
    """Means over bands by direction (16, F), over bands (5, F), and the taper of a piece."""
    axis = torch.fft.fftfreq(PIECE)
    y, x = axis[:, None].expand(-1, PIECE // 2 + 1), axis[: PIECE // 2 + 1].abs().expand(PIECE, -1)
    radius = (x.square() + y.square()).sqrt() * PIECE
    sector = (torch.atan2(y, x) % math.pi / (math.pi / 4)).round().long() % 4
    band = torch.bucketize(radius, torch.tensor(BANDS))
    twice = torch.full_like(radius, 2.0)  # the half plane that rfft2 leaves out
    twice[:, [0, -1]] = 1.0
    directed = [
        _mean_over((band == number) & (sector == s), twice)
        for number in range(1, 5)
        for s in range(4)
    ]
    rings = [_mean_over(band == number, twice) for number in range(1, 6)]
    hann = torch.hann_window(PIECE, periodic=False)
    taper = hann[:, None] * hann
    return torch.stack(directed), torch.stack(rings), taper / taper.square().sum().sqrt()


def _mean_over(chosen: Tensor, weight: Tensor) -> Tensor:
    share = (chosen * weight).flatten()
    return share / share.sum()
