"""The receptive radius of a network, its device and data type, and classical interpolation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from wildsr.error import UserError, unknown
from wildsr.pixels import rounded, unit

CELL = 8  # LR pixels; tiles start at its multiples, so that strides and windows see the same grid
PROBES = (64, 128, 256)  # LR pixels; a network that reaches across the last one counts as global
SMALLEST_TILE = 32  # LR pixels; where halving after an out-of-memory error ends

KINDS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def receptive_radius(network: nn.Module, scale: int) -> int | None:
    """Measure how many LR pixels away from an output pixel the input still changes it.

    NaN propagates through every dependency, even with weights of zero: a cell of 8 x 8 NaN in the
    middle of a black image comes out as large as the network reaches. (A cell and not a pixel: with
    strides or attention windows the reach depends on the position within them.)

    Args:
        network: (B, 3, H, W) to (B, 3, sH, sW); runs on the device and in the dtype of its
            parameters.
        scale: s.

    Returns:
        The radius in LR pixels, rounded up; None when it is 124 or more, or unbounded.
    """
    device, dtype = place_of(network, torch.empty(0))
    with evaluating(network), torch.inference_mode(), _plain_convolutions():
        for side in PROBES:
            # Strips: the reach is measured along one axis at a time, for a quarter of the pixels.
            reaches = []
            for height, width in dict.fromkeys([(PROBES[0], side), (side, PROBES[0])]):
                lr = torch.zeros(1, channels_of(network), height, width, device=device, dtype=dtype)
                top, left = height // 2, width // 2
                lr[..., top : top + CELL, left : left + CELL] = torch.nan
                reached = network(lr).isnan().any(dim=1)[0]
                if height == side:
                    reaches.append(_reach(reached.any(dim=1), scale, top))
                if width == side:
                    reaches.append(_reach(reached.any(dim=0), scale, left))
            bounded = [reach for reach in reaches if reach is not None]
            if len(bounded) == len(reaches):
                return max(bounded)
    return None


def interpolate(lr: Tensor, scale: int, kind: str, deep: bool = False) -> Tensor:
    """Interpolate as Pillow does on 8-bit images: the baseline of all comparison tables.

    Args:
        lr: (B, C, H, W), [0, 1]; rounded to 8 bits, unless ``deep``.
        scale: s, at least 1.
        kind: "nearest", "bilinear", "bicubic" (a = -0.5) or "lanczos" (3 lobes).
        deep: for images of more than 8 bits: nothing is rounded.

    Returns:
        (B, C, sH, sW), [0, 1], in multiples of 1/255, unless ``deep``.

    Raises:
        UserError: an unknown kind, a scale below 1.
    """
    if kind not in KINDS:
        raise unknown("Argument `kind`", kind, KINDS)
    if scale < 1:
        raise UserError(f"Argument `scale` must be 1 or more, but got {scale}.")
    size = (lr.shape[3] * scale, lr.shape[2] * scale)
    if deep or lr.shape[1] != 3:  # channel by channel, as Pillow does within RGB
        planes = lr.detach().float() if deep else rounded(lr.detach().float()).byte()
        made = [_resized(plane, size, kind) for plane in planes.flatten(0, 1).cpu().numpy()]
        every = torch.from_numpy(np.stack(made)).unflatten(0, lr.shape[:2]).to(lr.device)
        return every.clamp(0, 1).to(lr.dtype) if deep else unit(every, lr.dtype)
    levels = rounded(lr.detach().float()).byte().permute(0, 2, 3, 1).cpu()
    enlarged = [
        np.array(Image.fromarray(image).resize(size, KINDS[kind])) for image in levels.numpy()
    ]
    sr = torch.from_numpy(np.stack(enlarged)).permute(0, 3, 1, 2).contiguous()
    return unit(sr.to(lr.device), lr.dtype)


def _resized(plane: Any, size: tuple[int, int], kind: str) -> Any:
    return np.array(Image.fromarray(plane).resize(size, KINDS[kind]))


def _reach(reached: Tensor, scale: int, start: int) -> int | None:
    """How far, in LR pixels, a cell at ``start`` spread along one axis; None up to its ends."""
    places = reached.nonzero()
    if len(places) == 0:
        return 0
    first, last = int(places[0]) // scale, int(places[-1]) // scale
    if first == 0 or last == len(reached) // scale - 1:
        return None
    return max(start - first, last - (start + CELL - 1), 0)


def channels_of(network: nn.Module) -> int:
    """Number of image channels that a network takes: its ``channels`` attribute, or 3 for RGB."""
    return int(getattr(network, "channels", 3))


def place_of(network: nn.Module, otherwise: Tensor) -> tuple[torch.device, torch.dtype]:
    """The device and floating-point dtype of a network.

    Args:
        network: any module.
        otherwise: a tensor of any shape, whose device and dtype are taken if the network has no
            floating-point parameters or buffers.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return otherwise.device, otherwise.dtype


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode for the block; then restore the mode of each module."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def _plain_convolutions() -> Iterator[None]:
    """Convolutions without cuDNN's Winograd and Fourier transforms, which spread a NaN further."""
    enabled = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = enabled


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an exception means that memory ran out; only CUDA has a type for it."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    message = str(error).lower()
    return "out of memory" in message or "can't allocate memory" in message


def whole_cells(pixels: int, cell: int = CELL) -> int:
    """Round up to a multiple of a cell."""
    return -(-pixels // cell) * cell
