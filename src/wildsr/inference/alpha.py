"""Transparency: fill invisible pixels before the network, restore alpha after it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

RINGS = (1, 2, 4, 8)  # radii of the averages that extend colours into transparent regions
REACH = sum(RINGS)  # LR pixels
FLAT = 1  # LR pixels: radius in which alpha must be constant 0 or 1 to stay so


def fill(colour: Tensor, alpha: Tensor) -> Tensor:
    """Extend the colours of visible pixels into the invisible ones around them.

    Colours under alpha = 0 are arbitrary (mostly black or white), and a network would draw an edge
    where none is visible (a fringe). They are replaced by the mean of premultiplied colours over
    growing neighbourhoods, ``sum(alpha colour) / sum(alpha)``, up to 15 pixels away. Visible pixels
    keep their colour: the network's input is not multiplied by alpha.

    Args:
        colour: (B, C, H, W).
        alpha: (B, 1, H, W) in [0, 1].

    Returns:
        (B, C, H, W).
    """
    known = (alpha > 0).to(colour.dtype)
    weight, premultiplied = alpha, colour * alpha
    filled = colour * known
    for radius in RINGS:
        mass = _box(weight, radius)
        spread = _box(premultiplied, radius) / mass.clamp_min(1e-6)
        new = (mass > 1e-6).to(colour.dtype) * (1 - known)
        filled = filled + new * spread
        known = known + new
        weight = torch.where(new > 0, torch.ones_like(weight), weight)
        premultiplied = torch.where(new > 0, spread, premultiplied)
    return filled


def settle(alpha: Tensor, lr_alpha: Tensor, scale: int) -> Tensor:
    """Make upscaled alpha exactly 0 or 1 where the LR alpha is so throughout a neighbourhood.

    Args:
        alpha: (B, 1, sH, sW), upscaled.
        lr_alpha: (B, 1, H, W) in [0, 1].
        scale: s.

    Returns:
        (B, 1, sH, sW) in [0, 1].
    """
    side = 2 * FLAT + 1
    largest = F.max_pool2d(lr_alpha, side, 1, FLAT)
    smallest = -F.max_pool2d(-lr_alpha, side, 1, FLAT)
    grown = [F.interpolate(a, scale_factor=scale, mode="nearest") for a in (largest, smallest)]
    alpha = torch.where(grown[0] == 0, torch.zeros_like(alpha), alpha)
    return torch.where(grown[1] == 1, torch.ones_like(alpha), alpha).clamp(0, 1)


def _box(image: Tensor, radius: int) -> Tensor:
    """The mean over (2 radius + 1)^2 pixels, those outside the image not counted."""
    return F.avg_pool2d(image, 2 * radius + 1, 1, radius, count_include_pad=False)
