"""Losses between the Fourier spectra of two images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts
from wildsr.error import UserError
from wildsr.loss.pixel import comparable


def focal_frequency(
    prediction: Tensor, target: Tensor, alpha: float = 1.0, patch_factor: int = 1
) -> Tensor:
    """Focal frequency loss of two images (B, C, H, W); see :class:`FocalFrequency`.

    Raises:
        UserError: shapes that differ; sides that ``patch_factor`` does not divide; an invalid
            alpha.
    """
    _check_focus(alpha, patch_factor)
    prediction, target = _images(prediction, target)
    if any(side % patch_factor for side in prediction.shape[2:]):
        raise UserError(
            f"Argument `prediction` must have sides that are multiples of `patch_factor`="
            f"{patch_factor}, but got {tuple(prediction.shape)}."
        )
    patches = (prediction - target).unflatten(3, (patch_factor, -1))
    patches = patches.unflatten(2, (patch_factor, -1))  # (B, C, p, H / p, p, W / p)
    within = (3, 5)
    spectrum = torch.fft.fft2(patches, dim=within, norm="ortho")  # linear: F(x) - F(y) = F(x - y)
    squares = spectrum.real.square() + spectrum.imag.square()
    with torch.no_grad():
        largest = squares.amax(within, keepdim=True)
        # Normalised before the power, which could overflow float32. Where all is 0 the loss is 0
        # with any weights.
        weights = (squares / largest.where(largest > 0, 1)) ** (alpha / 2)
    return (weights * squares).mean()


def amplitude(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of amplitude spectra of images (B, C, H, W); see :class:`Amplitude`.

    Raises:
        UserError: shapes that differ.
    """
    prediction, target = _images(prediction, target)
    # The gradient of torch's complex abs is 0 at 0; that of an explicit square root is NaN.
    x, y = (torch.fft.rfft2(image, norm="ortho").abs() for image in (prediction, target))
    return (x - y).abs().mean()


class FocalFrequency(nn.Module):
    r"""Focal frequency loss (Jiang et al. 2021, arXiv:2012.12821).

    .. math:: mean_{u,v}\; w(u, v)\, |F_x(u, v) - F_y(u, v)|^2, \qquad
        w = \frac{|F_x - F_y|^\alpha}{\max_{u,v} |F_x - F_y|^\alpha}

    with F the orthonormal Fourier transform of each channel of each patch; no gradient flows
    through w. Frequencies that are already right count little. At most the mean squared difference
    of the pixels, to which it is equal for alpha 0; 0 for equal images.

    Args:
        alpha: how strongly it focuses on the largest errors; at least 0.
        patch_factor: each side is divided into this many patches; more of them localise better.

    Raises:
        UserError: a negative alpha; a patch_factor that is no integer of at least 1.
    """

    def __init__(self, alpha: float = 1.0, patch_factor: int = 1) -> None:
        super().__init__()
        _check_focus(alpha, patch_factor)
        self.alpha, self.patch_factor = alpha, patch_factor

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, from two images (B, C, H, W) of one shape in [0, 1].

        Raises:
            UserError: two shapes; sides that ``patch_factor`` does not divide.
        """
        return focal_frequency(prediction, target, self.alpha, self.patch_factor)


class Amplitude(nn.Module):
    r"""Mean absolute difference of amplitude spectra: mean ``| |F_x| - |F_y| |``.

    F is the orthonormal Fourier transform of each channel; the mean is over the W // 2 + 1 columns
    that a real image's spectrum needs (the others mirror them), the channels and the batch. Phases
    are ignored, and with them positions: a cyclically shifted image has a loss of 0. This is the
    amplitude term of Fuoli et al. 2021 (arXiv:2106.00783), without their phase term.
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, from two images (B, C, H, W) of one shape in [0, 1].

        Raises:
            UserError: two shapes.
        """
        return amplitude(prediction, target)


def _images(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    prediction, target = comparable(prediction, target)
    if prediction.ndim != 4:
        raise UserError(
            f"Argument `prediction` must be (B, C, H, W), but got {tuple(prediction.shape)}."
        )
    return prediction, target


def _check_focus(alpha: float, patch_factor: int) -> None:
    if not alpha >= 0:
        raise UserError(f"Argument `alpha` must be at least 0, but got {alpha!r}.")
    check_counts(patch_factor=patch_factor)
