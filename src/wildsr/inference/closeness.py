"""Check on a photo's own patches whether half precision differs visibly from single precision."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wildsr.inference.tile import evaluating
from wildsr.photo.rows import CHUNK, Array, Rows
from wildsr.pixels import white

BOUND = 50.0  # dB of PSNR required; that of rounding to 8 bits is 58.9
SIDE = 24  # side of a patch in LR pixels
FEWEST, MOST = 2, 16  # patches of a photo
SHARE = 64  # one in so many pixels is checked, so that the check costs a few per cent of the work
# Steps of the low-discrepancy sequence "R2" (Roberts 2018).
STEPS = 0.7548776662466927, 0.5698402909980532


def places(height: int, width: int) -> list[tuple[int, int]]:
    """Top left corners of the patches, spread over a photo; the same for photos of one size."""
    count = min(max(height * width // (SHARE * SIDE**2), FEWEST), MOST)
    free = max(height - SIDE, 0), max(width - SIDE, 0)
    return [
        (round((0.5 + n * STEPS[0]) % 1 * free[0]), round((0.5 + n * STEPS[1]) % 1 * free[1]))
        for n in range(count)
    ]


def patches(
    rows: Rows,
    channels: int = 3,
    wanted: Sequence[tuple[int, int]] | None = None,
    side: int = SIDE,
) -> Tensor:
    """Read an image once and return its patches.

    Args:
        rows: the image, from its first row.
        channels: of the network.
        wanted: top left corners; None: those of :func:`places`.
        side: of a patch in LR pixels.

    Returns:
        (N, channels, side, side), in [0, 1]; smaller if the image is. Gray becomes RGB, alpha is
        left out; for a network with one channel, the first.
    """
    wanted = places(rows.height, rows.width) if wanted is None else wanted
    kept: dict[int, list[Array]] = {number: [] for number in range(len(wanted))}
    row, step = 0, max(CHUNK // rows.width, 1)
    last = min(max(top for top, _ in wanted) + side, rows.height)
    while row < last:
        part = rows.read(min(step, rows.height - row))
        for number, (top, left) in enumerate(wanted):
            low, high = max(top - row, 0), min(top + side - row, len(part))
            if low < high:
                kept[number].append(part[low:high, left : left + side].copy())
        row += len(part)
    whole = np.stack([np.concatenate(parts) for parts in kept.values()]).astype(np.float32)
    lr = torch.from_numpy(whole / white(rows.dtype)).permute(0, 3, 1, 2)
    if channels != 3:
        return lr[:, :channels]
    colours = lr[:, : 3 if rows.channels > 2 else 1]
    return colours.expand(-1, 3, -1, -1)


@torch.inference_mode()
def psnr_to(single: nn.Module, half: nn.Module, lr: Tensor, place: Tensor) -> float:
    """PSNR in dB between a network's results in half and in single precision.

    Of the results as written: clamped to [0, 1], over all pixels together.

    Args:
        single: the network in single precision.
        half: the same one in half precision.
        lr: (N, 3, h, w), [0, 1].
        place: a tensor on the device and in the dtype of ``half``; any shape.

    Returns:
        Infinity if both are equal; minus infinity if either is not finite.
    """
    found = []
    for network, kind in ((single, torch.float32), (half, place.dtype)):
        seen = lr.to(place.device, kind).contiguous(memory_format=torch.channels_last)
        with evaluating(network):
            found.append(network(seen).double())
    if not all(bool(sr.isfinite().all()) for sr in found):
        return -math.inf
    error = float((found[0].clamp(0, 1) - found[1].clamp(0, 1)).square().mean())
    return math.inf if error == 0 else -10 * math.log10(error)
