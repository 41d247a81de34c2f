"""A loss against checkerboard patterns of an upscaler, which perceptual losses overlook."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.argument import check_integer
from wildsr.error import UserError
from wildsr.loss.pixel import comparable

FLOOR = 1e-4  # epsilon of the amplitude, in [0, 1] units: a fortieth of 1/255


def grid_pattern(
    prediction: Tensor, target: Tensor, period: int, cells: int | None = None
) -> Tensor:
    """The part of ``prediction - target`` that repeats every ``period`` pixels, in N windows.

    In each window it is the mean over the cells, minus its own mean. Rows and columns that fill no
    window are left out.

    Args:
        prediction: (B, C, H, W).
        target: the same shape.
        period: side of a cell in pixels.
        cells: side of a window in cells; None, or more than fit: the whole image is one window.

    Returns:
        (B, C, N, period, period).

    Raises:
        UserError: a period below 1; shapes that differ; images smaller than a cell.
    """
    check_integer("Argument `period`", period, 1)
    x, y = comparable(prediction, target)
    if x.ndim != 4 or min(x.shape[2:]) < period:
        raise UserError(
            f"Argument `prediction` must be (B, C, H, W) with sides of at least {period}, the "
            f"`period`, but got {tuple(x.shape)}."
        )
    most = [side // period for side in x.shape[2:]]
    sides = most if cells is None else [min(cells, count) for count in most]
    rows, columns = (count // side for count, side in zip(most, sides, strict=True))
    gap = (x - y)[..., : rows * sides[0] * period, : columns * sides[1] * period]
    split = gap.unflatten(3, (columns, sides[1], period)).unflatten(2, (rows, sides[0], period))
    pattern: Tensor = split.mean(dim=(3, 6)).transpose(3, 4).flatten(2, 3)
    return pattern - pattern.mean(dim=(3, 4), keepdim=True)


class Grid(nn.Module):
    r"""Amplitude of the periodic (checkerboard) pattern that an upscaler of factor s leaves.

    .. math:: mean_{b,c,n} \sqrt{mean_{u,v} p_{b,c,n,u,v}^2 + \epsilon^2} - \epsilon

    p is :func:`grid_pattern` with period s, in windows n. A pixel shuffle or a transposed
    convolution computes each of the s x s pixels of a cell with different weights (Odena et al.
    2016, "Deconvolution and checkerboard artifacts"), and a small network soon learns a constant
    pattern that deep features take for texture. This loss isolates the pattern: image detail
    averages out over the cells of a window. Small windows also reveal patterns that vary within
    the image, such as hatching along edges. The square root keeps a gradient where the pattern is
    weak. The loss is our own, from no paper.

    Args:
        period: s in pixels; for 1 there is no pattern, and the loss is 0.
        cells: side of a window in cells; None: the whole image is one window.

    Raises:
        UserError: another period or count.
    """

    def __init__(self, period: int = 4, cells: int | None = None) -> None:
        super().__init__()
        check_integer("Argument `period`", period, 1)
        check_integer("Argument `cells`", cells, 1, null=True)
        self.period, self.cells = period, cells

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, 0 for equal images; of images (B, C, H, W) of one shape in [0, 1].

        Raises:
            UserError: other shapes, or images smaller than a cell.
        """
        pattern = grid_pattern(prediction, target.detach(), self.period, self.cells)
        power = pattern.square().mean(dim=(3, 4)) + FLOOR**2
        return (torch.sqrt(power) - FLOOR).mean()
