"""LDL, a loss against the artifacts of adversarial training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_integer
from wildsr.error import UserError
from wildsr.loss.pixel import comparable, l1


@torch.no_grad()
def artifact_map(
    prediction: Tensor, target: Tensor, average: Tensor | None = None, window: int = 7
) -> Tensor:
    """Estimate where ``prediction`` has artifacts rather than detail; the map M of :class:`LDL`.

    Args:
        prediction: (B, C, H, W) in [0, 1].
        target: the same shape.
        average: the same shape: the output of the averaged upscaler; None exempts no pixel.
        window: side of the local window, odd, at least 3.

    Returns:
        (B, 1, H, W), at least 0; without gradient.

    Raises:
        UserError: shapes that differ, images too small for the window, or an even window.
    """
    _check_window(window)
    prediction, target = comparable(prediction, target)
    radius = window // 2
    if prediction.ndim != 4 or min(prediction.shape[2:]) <= radius:
        raise UserError(
            f"Argument `prediction` must be (B, C, H, W) with sides of at least {radius + 1} "
            f"pixels for `window`={window}, but got {tuple(prediction.shape)}."
        )
    residual = (target - prediction).abs().sum(1, keepdim=True)
    padded = F.pad(residual, (radius,) * 4, mode="reflect")
    local = padded.unfold(2, window, 1).unfold(3, window, 1).var((4, 5))
    weights = residual.var((1, 2, 3), keepdim=True) ** (1 / 5) * local
    if average is None:
        return weights
    if average.shape != target.shape:
        raise UserError(
            f"Argument `average` must have the shape {tuple(target.shape)} of `target`, but got "
            f"{tuple(average.shape)}."
        )
    steady = (target - average).abs().sum(1, keepdim=True)
    return weights.masked_fill(residual < steady, 0)


def ldl(
    prediction: Tensor, target: Tensor, average: Tensor | None = None, window: int = 7
) -> Tensor:
    """Mean absolute difference, weighted by :func:`artifact_map`; see :class:`LDL`.

    Args:
        prediction: (B, C, H, W) in [0, 1].
        target: the same shape.
        average: the same shape, or None; see :class:`LDL`.
        window: side of the local window, odd, at least 3.

    Raises:
        UserError: as :func:`artifact_map`.
    """
    return l1(prediction, target, artifact_map(prediction, target, average, window))


class LDL(nn.Module):
    r"""Locally discriminative learning (Liang et al. 2022, arXiv:2203.09195).

    .. math:: mean\; M\, |x - y|, \qquad
        M = var(R)^{1/5} \; var_{window}(R) \; [R \ge R_{average}]

    with R = sum over channels of abs(y - x) the residual of the prediction x, and R_average that of
    the upscaler with moving-average (EMA) weights. Where the residual varies strongly from pixel to
    pixel, adversarial training has made artifacts; where it is smaller than the average's, training
    moves towards true detail, and nothing is penalised. Both variances are unbiased, of the whole
    image and of a window around each pixel (borders reflected); no gradient flows through M. 0 for
    equal images.

    Args:
        window: side of the window in pixels, odd; 7 in the paper.

    Raises:
        UserError: a window that is not an odd integer of at least 3.
    """

    def __init__(self, window: int = 7) -> None:
        super().__init__()
        _check_window(window)
        self.window = window

    def forward(self, prediction: Tensor, target: Tensor, average: Tensor | None = None) -> Tensor:
        """A scalar, from images (B, C, H, W) of one shape in [0, 1].

        ``average`` is what the averaged upscaler makes of the same LR image; without it no pixel is
        exempt.

        Raises:
            UserError: different shapes; sides not longer than half the window.
        """
        return ldl(prediction, target, average, self.window)


def _check_window(window: int) -> None:
    check_integer("Argument `window`", window, 3, odd=True)
