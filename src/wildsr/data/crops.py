"""Draw random crops of a packed store, and augment square patches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wildsr.data.packed import PackedStore
from wildsr.error import UserError


def large_enough(store: PackedStore, size: int) -> npt.NDArray[np.int64]:
    """Indices of the images whose height and width are both at least ``size``.

    Raises:
        UserError: there is none.
    """
    chosen = np.flatnonzero((store.sizes >= size).all(axis=1))
    if not len(chosen):
        height, width = store.sizes[store.sizes.min(axis=1).argmax()].tolist()
        raise UserError(
            f"Argument `{store.argument}` must hold an image of at least {size}x{size} pixels, "
            f"the size of a patch, but its largest is {width}x{height}. "
            "Are `data.lr` and `data.hr` swapped? If not, use smaller patches."
        )
    return chosen


def draw(store: PackedStore, size: int, batch: int, generator: np.random.Generator) -> Tensor:
    """Draw random square crops: a uniform choice of image, then of a position inside it.

    Images smaller than the patch in either direction are never drawn.

    Args:
        store: where to draw from.
        size: side of the crops in pixels.
        batch: how many.
        generator: source of all randomness.

    Returns:
        (B, C, size, size), uint8 or float32 in [0, 1] as the store's images, channels last in
        memory.

    Raises:
        UserError: no image is large enough.
    """
    index = generator.choice(large_enough(store, size), batch)
    top, left = generator.integers(0, store.sizes[index] - size, endpoint=True).T
    return torch.from_numpy(store.gather(index, top, left, size)).permute(0, 3, 1, 2)


def draw_flips(count: int, generator: torch.Generator) -> Tensor:
    """Draw a flip and transposition for each of ``count`` patches, (count, 3) bits.

    Three fair bits each: mirror left to right, mirror top to bottom, transpose. Their eight
    combinations are the four rotations, with and without a mirror image.

    Args:
        count: of patches.
        generator: a CPU generator, so that the draw does not depend on the device.
    """
    return torch.randint(0, 2, (count, 3), generator=generator)


def flipped(images: Tensor, bits: Tensor) -> Tensor:
    """Flip and transpose each patch by its own three bits.

    Args:
        images: square patches (B, C, S, S) of any type, on any device.
        bits: of each, (B, 3), from :func:`draw_flips`.

    Returns:
        A tensor like ``images``.

    Raises:
        ValueError: the patches are not square.
    """
    if images.shape[-1] != images.shape[-2]:
        shape = tuple(images.shape)
        raise ValueError(f"Argument `images` must be square patches, but got shape {shape}.")
    result = torch.empty_like(images)
    # One pass over memory; selecting among whole flipped batches would take six.
    for target, image, (mirror, flip, transpose) in zip(result, images, bits.tolist(), strict=True):
        turned = image.flip([-1] * mirror + [-2] * flip) if mirror or flip else image
        target.copy_(turned.transpose(-1, -2) if transpose else turned)
    return result
