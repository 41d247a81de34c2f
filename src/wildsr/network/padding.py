"""Pad images to the sizes that a network accepts."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from wildsr.argument import check_counts


def pad_to(image: Tensor, multiple: int, minimum: int = 1) -> Tensor:
    """Pad by repeating the last row and column until both sides are multiples of ``multiple``.

    ``side -> multiple * ceil(max(side, minimum) / multiple)``, below and to the right only, so that
    ``pad_to(image, m)[..., :H, :W]`` is the image. The border is repeated instead of mirrored,
    which works for any size, even 1x1.

    Args:
        image: (B, C, H, W) or (C, H, W), H and W at least 1.
        multiple: what both sides are to be divisible by.
        minimum: what both sides are at least.

    Returns:
        The enlarged image, or ``image`` itself if it has such a size already.

    Raises:
        UserError: a ``multiple`` or ``minimum`` that is not an integer of at least 1.
    """
    check_counts(multiple=multiple, minimum=minimum)
    height, width = image.shape[-2:]
    below, right = (
        -(-max(side, minimum) // multiple) * multiple - side for side in (height, width)
    )
    if not (below or right):
        return image
    return F.pad(image, (0, right, 0, below), mode="replicate")
