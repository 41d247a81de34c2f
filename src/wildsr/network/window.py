"""Which pixels each place of a critic's map has seen, and the map handed back to them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wildsr.error import UserError


@dataclass(frozen=True)
class Window:
    """The pixels that the outputs of a stack of layers see, along either axis.

    Output i sees those from ``jump i - before`` on, ``side`` of them; any outside the image are
    padding.
    """

    side: int = 1
    jump: int = 1
    before: int = 0

    def after(self, kernel: int, stride: int, padding: int) -> Window:
        """The window of the outputs of one more convolution."""
        return Window(
            self.side + (kernel - 1) * self.jump,
            self.jump * stride,
            self.before + padding * self.jump,
        )


def spread(scores: Tensor, window: Window, size: tuple[int, int]) -> Tensor:
    """Give each pixel the mean of the scores of all places that have seen it.

    The averaging over receptive fields of DASR (Wei et al. 2021, arXiv:2004.01178).
    At the borders the mean is over fewer places. A pixel that no window covers (strides wider than
    kernels, a remainder on the right) takes the mean of those nearest to it.

    Args:
        scores: (B, C, h, w), the map of a critic.
        window: of the critic.
        size: height and width of the image that the critic was shown.

    Returns:
        (B, C, *size), float32 at least, between the smallest and the largest score.

    Raises:
        UserError: a map or a size without a place.
    """
    if min(*scores.shape[-2:], *size) < 1:
        raise UserError(
            "Arguments `scores` and `size` must have sides of at least 1, but got "
            f"{tuple(scores.shape)} and {tuple(size)}."
        )
    with torch.autocast(scores.device.type, enabled=False):
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        # Windows are squares: the mean over them is one over rows, then one over columns.
        rows, columns = (
            _shares(window, places, pixels).to(scores)
            for places, pixels in zip(scores.shape[-2:], size, strict=True)
        )
        return rows @ scores @ columns.mT


def _shares(window: Window, places: int, pixels: int) -> Tensor:
    """(pixels, places): how much each place counts for each pixel; rows of sum 1."""
    first = window.jump * torch.arange(places) - window.before
    pixel = torch.arange(pixels)[:, None]
    missed = torch.maximum(first - pixel, pixel - (first + window.side - 1)).clamp(min=0)
    seen = (missed == missed.amin(1, keepdim=True)).double()
    return seen / seen.sum(1, keepdim=True)
