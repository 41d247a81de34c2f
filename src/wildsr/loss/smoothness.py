"""Losses of neighbouring pixels: how rough an image is, or its difference from another."""

from __future__ import annotations

from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.loss.pixel import at_least_float32, comparable


def total_variation(image: Tensor) -> Tensor:
    """Mean absolute differences of neighbours, across and down; see :class:`TotalVariation`."""
    if image.ndim != 4:
        raise UserError(f"Argument `image` must be (B, C, H, W), but got {tuple(image.shape)}.")
    steps = [at_least_float32(image).diff(dim=dim) for dim in (3, 2)]
    # A side of one pixel has no neighbours, and a mean of nothing is not a number.
    across, down = (step.abs().sum() / max(step.numel(), 1) for step in steps)
    return across + down


class TotalVariation(nn.Module):
    """Anisotropic total variation, ``mean |dx| + mean |dy|`` (Rudin et al. 1992).

    Each mean is over its own differences, W - 1 in a row and H - 1 in a column, the channels and
    the batch; ``kornia.losses.total_variation`` with reduction "mean" is the same before its mean
    over images and channels, and with "sum" counts each difference once without dividing. 0 for
    flat images and for a single pixel; the direction along a side of one pixel adds 0. At most 2
    in [0, 1].
    """

    def forward(self, image: Tensor) -> Tensor:
        """A scalar, from (B, C, H, W) in [0, 1].

        Raises:
            UserError: another number of dimensions.
        """
        return total_variation(image)


class GradientDifference(nn.Module):
    """Total variation of the difference, ``mean |dx(p - t)| + mean |dy(p - t)|``.

    The prediction's steps between neighbours are to be the target's; its level is free. The "TV"
    of SRResCGAN (Umer et al. 2020, arXiv:2005.00953). Means as in :class:`TotalVariation`; 0 for
    images that differ by a constant.
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, from two images (B, C, H, W) of one shape in [0, 1].

        Raises:
            UserError: two shapes; another number of dimensions.
        """
        x, y = comparable(prediction, target)
        return total_variation(x - y)
