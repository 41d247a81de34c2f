"""Receptive fields of a critic's logits, and scores mapped back onto the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wildsr.error import UserError


@dataclass(frozen=True)
class Window:
    """The receptive field of the outputs of a stack of layers, along either axis.

    Output i sees ``side`` pixels from pixel ``jump i - before`` on; those outside the image are
    padding.
    """

    side: int = 1
    jump: int = 1
    before: int = 0

    def after(self, kernel: int, stride: int, padding: int) -> Window:
        """The receptive field after one more convolution."""
        return Window(
            self.side + (kernel - 1) * self.jump,
            self.jump * stride,
            self.before + padding * self.jump,
        )


def spread(scores: Tensor, window: Window, size: tuple[int, int]) -> Tensor:
    """Give each pixel the mean score of all outputs whose receptive field contains it.

    The averaging over receptive fields of DASR (Wei et al. 2021, arXiv:2004.01178). At the borders
    the mean is over fewer outputs. A pixel that no receptive field covers (strides wider than
    kernels, a remainder on the right) gets the mean of the nearest ones.

    Args:
        scores: (B, C, h, w), the output map of a critic.
        window: of the critic.
        size: height and width of the critic's input image.

    Returns:
        (B, C, *size), float32 at least, between the smallest and the largest score.

    Raises:
        UserError: an empty map or size.
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
