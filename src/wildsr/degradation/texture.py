"""GPU texture compression: BC1 (DXT1) and BC4 blocks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation.argument import check_batch, check_image
from wildsr.pixels import at_least_float32, rounded


def bc1(image: Tensor) -> Tensor:
    """Compress RGB images as BC1 (S3TC DXT1): each 4x4 block has four colours on one line.

    The endpoints are in RGB565, the two others at one and two thirds between them; each pixel gets
    the nearest of the four. The endpoints are the extremes along the principal axis of the block's
    colours, or the least-squares fit for the resulting indices, whichever has the smaller error.

    Args:
        image: (B, 3, H, W) in [0, 1]; values outside are clamped, borders repeated to whole blocks.

    Returns:
        The decoded image: multiples of 1/255, (B, 3, H, W), with the gradient of the identity.

    Raises:
        UserError: another shape.
    """
    check_image(image)
    whole = at_least_float32(image)
    with torch.no_grad():
        blocks = _blocks(rounded(whole))  # (B, n, 16, 3), 0 to 255
        middle = blocks.mean(2, keepdim=True)
        apart = blocks - middle
        axis = _axis(apart)
        along = (apart * axis).sum(3, keepdim=True)
        ends = torch.cat([along.amin(2, keepdim=True), along.amax(2, keepdim=True)], 2)
        made, weights = _coded(blocks, middle + ends * axis)
        better, _ = _coded(blocks, _fitted(blocks, weights))
        nearer = _error(better, blocks) < _error(made, blocks)
        out = _picture(torch.where(nearer, better, made), whole.shape)
    return out / 255 + (whole - whole.detach())


def bc4(image: Tensor) -> Tensor:
    """Compress each channel separately as BC4 (RGTC): each 4x4 block has eight even levels.

    The format for gray maps, height maps and normals (two channels: BC5).

    Args:
        image: (B, C, H, W) in [0, 1]; values outside are clamped, borders repeated to whole blocks.

    Returns:
        The decoded image: multiples of 1/255, (B, C, H, W), with the gradient of the identity.

    Raises:
        UserError: another shape.
    """
    check_batch(image)
    whole = at_least_float32(image)
    with torch.no_grad():
        channels = rounded(whole).flatten(0, 1)[:, None]
        blocks = _blocks(channels)  # (B C, n, 16, 1)
        low, high = blocks.amin(2, keepdim=True), blocks.amax(2, keepdim=True)
        step = ((blocks - low) * 7 / (high - low).clamp_min(1)).round()
        level = torch.floor((low * (7 - step) + high * step) / 7)
        out = _picture(level, channels.shape).view(whole.shape)
    return out / 255 + (whole - whole.detach())


def _blocks(levels: Tensor) -> Tensor:
    """(B, C, H, W) in 4x4 blocks: (B, n, 16, C)."""
    height, width = levels.shape[2:]
    padded = F.pad(levels, (0, -width % 4, 0, -height % 4), mode="replicate")
    unfolded = F.unfold(padded, 4, stride=4)  # (B, C 16, n)
    return unfolded.view(len(levels), levels.shape[1], 16, -1).permute(0, 3, 2, 1)


def _picture(blocks: Tensor, shape: torch.Size) -> Tensor:
    """Blocks (B, n, 16, C) as the picture they were cut from."""
    height, width = shape[2:]
    flat = blocks.permute(0, 3, 2, 1).flatten(1, 2)
    padded = F.fold(flat, (height + -height % 4, width + -width % 4), 4, stride=4)
    return padded[..., :height, :width]


def _axis(apart: Tensor) -> Tensor:
    """The principal direction (B, n, 1, 3) of colours (B, n, 16, 3), by the power method."""
    spread = apart.transpose(2, 3) @ apart
    # Start: the column of the channel that varies most, which is never orthogonal to the axis.
    most = spread.diagonal(dim1=2, dim2=3).argmax(2)[..., None, None]
    axis = spread.gather(2, most.expand(*spread.shape[:2], 1, 3))
    for _ in range(8):
        axis = F.normalize(axis @ spread, dim=3)
    return axis


def _coded(blocks: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """The colours that blocks get with these ends, and each pixel's share of the second end."""
    bits = torch.tensor([5.0, 6.0, 5.0], device=ends.device, dtype=ends.dtype)
    most = 2**bits - 1
    short = (ends.clamp(0, 255) / 255 * most).round()
    # Expand to 8 bits as hardware does: the high bits are repeated in the low ones.
    ends = torch.floor(short * 2 ** (8 - bits)) + torch.floor(short / 2 ** (2 * bits - 8))
    first, second = ends.split(1, 2)
    four = torch.cat(
        [
            first,
            torch.floor((2 * first + second) / 3),
            torch.floor((first + 2 * second) / 3),
            second,
        ],
        2,
    )
    index = (blocks[:, :, :, None] - four[:, :, None]).square().sum(4).argmin(3)
    made = four.gather(2, index[..., None].expand_as(blocks))
    return made, index.to(blocks)[..., None] / 3


def _fitted(blocks: Tensor, share: Tensor) -> Tensor:
    """The ends (B, n, 2, 3) that are best for given shares of the second end (B, n, 16, 1)."""
    basis = torch.cat([1 - share, share], 3)
    square = basis.transpose(2, 3) @ basis
    slight = 1e-3 * torch.eye(2, device=share.device, dtype=share.dtype)  # where all share one
    return torch.linalg.solve(square + slight, basis.transpose(2, 3) @ blocks)


def _error(made: Tensor, blocks: Tensor) -> Tensor:
    return (made - blocks).square().sum((2, 3), keepdim=True)
