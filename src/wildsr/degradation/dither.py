"""Reduce images to few colours by dithering, ordered or by error diffusion."""

from __future__ import annotations

import itertools
from functools import lru_cache

import torch
from torch import Tensor

from wildsr.argument import check_integer
from wildsr.degradation.argument import check_batch
from wildsr.error import UserError
from wildsr.pixels import at_least_float32

SIDES = (2, 4, 8)  # of Bayer's matrices


def even_palette(levels: int, channels: int = 3) -> Tensor:
    """The palette of all colours with evenly spaced levels: (levels ** channels, channels).

    Args:
        levels: in each channel, at least 2.
        channels: of the image.

    Raises:
        UserError: fewer than two levels, or more than 4096 colours.
    """
    check_integer("Argument `levels`", levels, 2)
    if levels**channels > 4096:
        raise UserError(
            f"Argument `levels` must make at most 4096 colours of {channels} channels, but got "
            f"{levels}."
        )
    steps = [i / (levels - 1) for i in range(levels)]
    return torch.tensor(list(itertools.product(steps, repeat=channels)))


@torch.no_grad()
def own_palette(image: Tensor, colours: int, rounds: int = 8) -> Tensor:
    """An image's own palette by k-means, as for GIFs and 8-bit sprites.

    Args:
        image: (B, C, H, W).
        colours: how many, 2 to 256.
        rounds: iterations of Lloyd's algorithm, which starts from even quantiles of brightness.

    Returns:
        (B, colours, C).

    Raises:
        UserError: another shape or number of colours.
    """
    check_batch(image)
    check_integer("Argument `colours`", colours, 2, 256)
    pixels = image.flatten(2).transpose(1, 2)
    order = pixels.mean(2).argsort(1)
    place = torch.linspace(0, pixels.shape[1] - 1, colours, device=image.device).round().long()
    palette = torch.stack([p[o[place]] for p, o in zip(pixels, order, strict=True)])
    for _ in range(rounds):
        nearest = torch.cdist(pixels, palette).argmin(2)
        sums = torch.zeros_like(palette).scatter_add_(
            1, nearest[..., None].expand_as(pixels), pixels
        )
        counts = torch.zeros_like(palette[..., :1]).scatter_add_(
            1, nearest[..., None], torch.ones_like(pixels[..., :1])
        )
        palette = torch.where(counts > 0, sums / counts.clamp_min(1), palette)
    return palette


def ordered_dither(image: Tensor, palette: Tensor, side: int = 8) -> Tensor:
    """Map each pixel to its nearest palette colour after adding a repeating threshold (Bayer 1973).

    Args:
        image: (B, C, H, W) in [0, 1].
        palette: (K, C) or (B, K, C), two colours at least.
        side: of Bayer's matrix of thresholds: 2, 4 or 8.

    Returns:
        Colours of the palette, (B, C, H, W), with the gradient of the identity.

    Raises:
        UserError: shapes that do not fit, another side.
    """
    colours = _checked(image, palette)
    if side not in SIDES:
        raise UserError(f"Argument `side` must be one of {list(SIDES)}, but got {side!r}.")
    whole = at_least_float32(image)
    with torch.no_grad():
        height, width = image.shape[2:]
        tiles = (-(-height // side), -(-width // side))
        threshold = bayer_matrix(side).to(whole).repeat(*tiles)[:height, :width]
        apart = torch.cdist(colours, colours)
        apart = apart + torch.diag_embed(torch.full_like(apart[..., 0], torch.inf))
        step = apart.amin(2).mean(1).view(-1, 1, 1, 1)  # between neighbours of the palette
        moved = (whole + step * threshold).flatten(2).transpose(1, 2)
        made = _nearest(moved, colours).transpose(1, 2).reshape(whole.shape)
    return made + (whole - whole.detach())


def floyd_steinberg(image: Tensor, palette: Tensor) -> Tensor:
    """Map each pixel to the nearest palette colour, diffusing the error (Floyd-Steinberg 1976).

    7/16 of the error go to the right, 3/16, 5/16 and 1/16 to the row below; beyond the border it is
    lost. Pixels on one line ``x + 2 y`` do not depend on each other and are computed together.

    Args:
        image: (B, C, H, W) in [0, 1].
        palette: (K, C) or (B, K, C), two colours at least.

    Returns:
        Colours of the palette, (B, C, H, W), with the gradient of the identity, which is that of
        the local mean.

    Raises:
        UserError: shapes that do not fit.
    """
    colours = _checked(image, palette)
    whole = at_least_float32(image)
    height, width = image.shape[2:]
    with torch.no_grad():
        # (B, H + 1, W + 2, C): room for errors that leave the image
        left = torch.nn.functional.pad(whole, (1, 1, 0, 1)).permute(0, 2, 3, 1).contiguous()
        made = torch.empty_like(left)
        for line in range(width + 2 * (height - 1)):
            y = torch.arange(
                max(0, -(-(line - width + 1) // 2)),
                min(height - 1, line // 2) + 1,
                device=left.device,
            )
            x = line - 2 * y + 1
            wanted = left[:, y, x].clamp(-0.5, 1.5)  # bounded if the palette cannot compensate
            chosen = _nearest(wanted, colours)
            made[:, y, x] = chosen
            error = (wanted - chosen) / 16
            left[:, y, x + 1] += 7 * error
            left[:, y + 1, x - 1] += 3 * error
            left[:, y + 1, x] += 5 * error
            left[:, y + 1, x + 1] += error
        out = made[:, :height, 1 : width + 1].permute(0, 3, 1, 2)
    return out + (whole - whole.detach())


@lru_cache(maxsize=3)
def bayer_matrix(side: int) -> Tensor:
    """Bayer's threshold matrix (side, side), evenly spaced from -1/2 to 1/2 with mean 0."""
    with torch.inference_mode(False):
        matrix = torch.zeros(1, 1, dtype=torch.float64)
        while len(matrix) < side:
            matrix = torch.cat(
                [
                    torch.cat([4 * matrix, 4 * matrix + 2], 1),
                    torch.cat([4 * matrix + 3, 4 * matrix + 1], 1),
                ]
            )
        return (matrix + 0.5) / side**2 - 0.5


def _nearest(pixels: Tensor, palette: Tensor) -> Tensor:
    """Of each pixel (B, N, C) the nearest colour of its palette (B, K, C)."""
    index = torch.cdist(pixels, palette, compute_mode="donot_use_mm_for_euclid_dist").argmin(2)
    return palette.gather(1, index[..., None].expand(-1, -1, palette.shape[2]))


def _checked(image: Tensor, palette: Tensor) -> Tensor:
    """The palette as (B, K, C)."""
    check_batch(image)
    batch, channels = image.shape[:2]
    whole = palette[None] if palette.ndim == 2 else palette
    fits = whole.ndim == 3 and whole.shape[0] in (1, batch) and whole.shape[2] == channels
    if not fits or whole.shape[1] < 2:
        raise UserError(
            f"Argument `palette` must be (K, {channels}) or ({batch}, K, {channels}), K at least "
            f"2, but got {tuple(palette.shape)}."
        )
    return whole.to(at_least_float32(image)).expand(batch, -1, -1)
