"""Print images as halftones: dots of full ink whose size gives the tone."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from wildsr.argument import check_integer
from wildsr.degradation.argument import check_batch, for_each
from wildsr.degradation.tap import require
from wildsr.pixels import at_least_float32

CMY = (15.0, 75.0, 0.0)  # degrees; black at 45: the usual angles, 30 apart but for yellow
BLACK = 45.0


def halftone(
    image: Tensor,
    period: Tensor | float,
    turn: Tensor | float = 0.0,
    black: bool = True,
    supersample: int = 4,
) -> Tensor:
    """Print images through rotated halftone screens of round dots, and scan them.

    Amplitude modulation with the spot function ``cos 2 pi u + cos 2 pi v``: an ink coverage t
    covers the share t of every cell, as dots up to one half and as holes above, so that the mean
    tone stays. RGB images are printed with cyan, magenta, yellow and (with ``black``) black in
    place of what the three share; inks overlap. With any other number of channels, each is an ink
    of its own.

    Args:
        image: (B, C, H, W) in [0, 1]; values outside are clamped.
        period: of a screen, in pixels, above 1; one number or (B,).
        turn: degrees by which all screens are turned.
        black: print what cyan, magenta and yellow share as black.
        supersample: printed dots per pixel and direction, which are averaged by the scan.

    Returns:
        (B, C, H, W) in [0, 1], with the gradient of the identity, which is that of the mean tone.

    Raises:
        UserError: a shape, a period or a number of places that is not among the above.
    """
    check_batch(image)
    check_integer("Argument `supersample`", supersample, 1)
    whole = at_least_float32(image)
    periods, turns = for_each("period", period, whole), for_each("turn", turn, whole)
    require(periods > 1, "period", periods, "above 1 pixel")
    with torch.no_grad():
        tone = whole.clamp(0, 1).repeat_interleave(supersample, 2)
        tone = tone.repeat_interleave(supersample, 3)
        channels = image.shape[1]
        if channels == 3:
            inks, angles = _separated(1 - tone, black), (*CMY, BLACK)[: 4 if black else 3]
        else:
            inks = 1 - tone
            angles = tuple(BLACK + 90.0 * i / channels for i in range(channels))
        turned = (
            turns + torch.tensor(angles, device=tone.device, dtype=tone.dtype)[None, :, None, None]
        )
        printed = (inks > 1 - _shares(inks, periods * supersample, turned)).to(tone)
        white = 1 - printed[:, :channels]
        if len(angles) > channels:
            white = white * (1 - printed[:, channels:])
        made = torch.nn.functional.avg_pool2d(white, supersample)
    return made + (whole - whole.detach())


def _separated(ink: Tensor, black: bool) -> Tensor:
    """Cyan, magenta, yellow, and black: together they let through what the three did."""
    if not black:
        return ink
    shared = ink.amin(1, keepdim=True)
    return torch.cat([(ink - shared) / (1 - shared).clamp_min(1e-6), shared], 1)


def _shares(like: Tensor, period: Tensor, degrees: Tensor) -> Tensor:
    """For each place of (B, C, H, W) the share of its cell where the spot function is lower."""
    height, width = like.shape[2:]
    y = torch.arange(height, device=like.device, dtype=like.dtype)[:, None] + 0.5
    x = torch.arange(width, device=like.device, dtype=like.dtype) + 0.5
    angle = degrees * (math.pi / 180)
    cos, sin = angle.cos() * (2 * math.pi) / period, angle.sin() * (2 * math.pi) / period
    spot = torch.cos(x * cos + y * sin) + torch.cos(y * cos - x * sin)
    table = _levels().to(like)
    return torch.searchsorted(table, spot.contiguous()).to(like) / len(table)


@lru_cache(maxsize=1)
def _levels() -> Tensor:
    """The spot function on a fine grid of its cell, sorted."""
    with torch.inference_mode(False):
        wave = torch.cos((torch.arange(256, dtype=torch.float64) + 0.5) * (2 * math.pi / 256))
        return (wave[:, None] + wave).flatten().sort().values
