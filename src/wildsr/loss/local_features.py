"""Features of small crops that tell two cameras apart: noise, sharpness, coding, little scene."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.pixels import YCBCR

CROP = 16  # pixels a side
ZERO = 0.5  # 1/255; a smaller difference counts as 0
FLOOR = 0.1  # (1/255)^2; about the variance of 8-bit rounding, keeps logarithms finite

OPPONENT = torch.tensor(YCBCR, dtype=torch.float64)


def local_features(photo: Tensor, step: int = CROP) -> Tensor:
    """Features of 16x16 crops of a photo, from differences of neighbouring pixels.

    Log energies of first, second and mixed differences (of luma, Cb and Cr), correlations of the
    second differences one and two pixels apart and between red, green and blue, their kurtosis,
    the share of equal neighbours, how uneven the eight phases of columns and rows are (JPEG
    blocks), and products of the energies with the crop's brightness.

    Args:
        photo: (3, H, W), 0 to 255, sides of at least 16 pixels.
        step: pixels from one crop to the next.

    Returns:
        (crops, features), in float64.
    """
    crops = photo.double().unfold(1, CROP, step).unfold(2, CROP, step)
    crops = crops.flatten(1, 2).transpose(0, 1)  # (n, 3, 16, 16)
    opponent = torch.einsum("dc,nchw->ndhw", OPPONENT, crops)
    right, down = opponent.diff(dim=3), opponent.diff(dim=2)
    second_x, second_y = right.diff(dim=3), down.diff(dim=2)
    mixed = right.diff(dim=2)
    fine = second_x.diff(dim=2).diff(dim=2)  # second differences both ways: shading is gone
    energies = [_energy(d) for d in (right, down, second_x, second_y, mixed, fine)]
    noise = energies[-1][:, :1]
    brightness = crops.mean((1, 2, 3))[:, None] / 255 - 0.5
    primary = crops.diff(n=2, dim=3).diff(n=2, dim=2)
    apart = [_lag(fine[:, :1], *lag) for lag in ((0, 1), (1, 0), (0, 2), (2, 0), (1, 1))]
    apart += [_lag(right[:, :1], 0, 1), _lag(right[:, :1], 1, 0), _lag(down[:, :1], 1, 0)]
    kurtosis = [
        (d.pow(4).mean((2, 3)) + FLOOR**2).log() - 2 * _energy(d)
        for d in (right[:, :1], down[:, :1], fine[:, :1])
    ]
    equal = [(d[:, :1].abs() < ZERO).double().mean((2, 3)) for d in (right, down)]
    between = [_cosine(primary[:, [a]], primary[:, [b]]) for a, b in ((0, 1), (1, 2), (0, 2))]
    uneven = [_unevenness(right[:, 0].abs().mean(1)), _unevenness(down[:, 0].abs().mean(2))]
    with_brightness = [brightness * noise, brightness * energies[0][:, :1]]
    groups = [*energies, *apart, *kurtosis, *equal, *between, *uneven, *with_brightness]
    return torch.cat(groups, 1)


def _energy(differences: Tensor) -> Tensor:
    return (differences.square().mean((2, 3)) + FLOOR).log()


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    norms = (a.square().mean((2, 3)) + FLOOR) * (b.square().mean((2, 3)) + FLOOR)
    return (a * b).mean((2, 3)) / norms.sqrt()


def _lag(d: Tensor, down: int, right: int) -> Tensor:
    height, width = d.shape[2:]
    return _cosine(d[:, :, : height - down, : width - right], d[:, :, down:, right:])


def _unevenness(profile: Tensor) -> Tensor:
    """Of the eight phases of a profile (n, 15), the largest against the mean, logarithmic."""
    phases = profile[:, :8].clone()
    phases[:, :7] = (phases[:, :7] + profile[:, 8:15]) / 2
    return ((phases.amax(1) + FLOOR) / (phases.mean(1) + FLOOR)).log()[:, None]
