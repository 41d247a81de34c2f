"""Losses between SR and LR photo, and on colours and low frequencies."""

from __future__ import annotations

import math

import torch
from kornia.color import rgb_to_ycbcr
from kornia.filters import get_gaussian_kernel2d
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_counts
from wildsr.degradation.bicubic import downscale
from wildsr.degradation.blur import blur_and_sample
from wildsr.error import UserError
from wildsr.loss.pixel import comparable, l1
from wildsr.pixels import at_least_float32


def lr_consistency(sr: Tensor, lr: Tensor) -> Tensor:
    """Mean absolute difference of downscaled ``sr`` and ``lr``; see :class:`LRConsistency`.

    Args:
        sr: (B, C, sH, sW) in [0, 1].
        lr: (B, C, H, W) in [0, 1].

    Raises:
        UserError: sides of ``sr`` that are not one integer times those of ``lr``.
    """
    factor = _factor(("sr", sr), ("lr", lr))
    return l1(downscale(at_least_float32(sr), factor), lr)


def low_pass(prediction: Tensor, target: Tensor, size: int = 5, stride: int = 1) -> Tensor:
    """Mean absolute difference of box-filtered images; see :class:`LowPass`.

    Args:
        prediction: (B, C, H, W) in [0, 1].
        target: the same shape.
        size: side of the box in pixels.
        stride: pixels from one box to the next.

    Raises:
        UserError: shapes that differ, or images smaller than the box.
    """
    x, y = comparable(prediction, target)
    if x.ndim != 4 or min(x.shape[2:]) < size:
        raise UserError(
            f"Argument `prediction` must be (B, C, H, W) with sides of at least {size}, the "
            f"`size` of the box, but got {tuple(x.shape)}."
        )
    # Linear: the mean of a difference is the difference of the means.
    return F.avg_pool2d(x - y, size, stride).abs().mean()


def low_frequency(prediction: Tensor, target: Tensor, sigma: float = 3.0) -> Tensor:
    """Mean absolute difference of blurred images (B, C, H, W); see :class:`LowFrequency`.

    Raises:
        UserError: sizes that do not fit together, or a sigma that is not positive.
    """
    return l1(*_blurred(prediction, target, sigma))


def colour(prediction: Tensor, target: Tensor, sigma: float = 3.0) -> Tensor:
    """Mean absolute difference of the chroma of blurred images (B, C, H, W).

    See :class:`Colour`.

    Raises:
        UserError: sizes that do not fit together, or a sigma that is not positive.
    """
    x, y = (_chroma(blurred) for blurred in _blurred(prediction, target, sigma))
    return l1(x, y)


def discrepancy(draws: Tensor, lr: Tensor) -> Tensor:
    r"""Ratio of LR residual and noise power, absolute value in dB, (B,); 0 if they are equal.

    .. math:: | 10 \log_{10} \frac{mean (\bar{d} - lr)^2}{(1 + 1/n)\, mean\, var(d)} |

    The numerator is the residual of the LR photo to the mean of n degradations of the result, the
    denominator their variance. No gradient flows through the latter, so that a larger residual
    cannot be excused by more noise.

    Args:
        draws: (n, B, 3, H, W), [0, 1]: each result under n random degradations, n at least 2.
        lr: (B, 3, H, W), [0, 1].

    Raises:
        UserError: fewer than two draws, or of another shape than ``lr``.
    """
    if draws.ndim != 5 or len(draws) < 2 or draws.shape[1:] != lr.shape:
        raise UserError(
            f"Argument `draws` must be at least two of {tuple(lr.shape)}, the shape of `lr`, but "
            f"got {tuple(draws.shape)}."
        )
    draws, lr = at_least_float32(draws), at_least_float32(lr)
    misfit = (draws.mean(dim=0) - lr).square().mean(dim=(1, 2, 3))
    noise = draws.var(dim=0).mean(dim=(1, 2, 3)).detach() * (1 + 1 / len(draws))
    # Rounding noise of 8-bit files, of the LR photo and of the draws.
    floor = 2 / 12 / 255**2
    return (10 * torch.log10((misfit + floor) / (noise + floor))).abs()


class LRDiscrepancy(nn.Module):
    """The LR residual of the SR should be as large as the noise: mean of :func:`discrepancy`.

    The discrepancy principle (Morozov 1966) as a loss. Unlike a consistency loss that asks for
    equality, it does not teach an upscaler to keep the noise of its input.
    """

    def forward(self, draws: Tensor, lr: Tensor) -> Tensor:
        """A scalar, in dB, from ``draws`` (n, B, 3, H, W) of the degraded SR and ``lr``.

        Raises:
            UserError: fewer than two draws, or of another shape than ``lr``.
        """
        return discrepancy(draws, lr).mean()


class LRConsistency(nn.Module):
    """Mean absolute difference of the downscaled SR and its LR: ``|downscale(sr) - lr|``.

    The downscaling is antialiased bicubic (a = -0.5), as in the NTIRE challenges' definition of
    consistency (Lugmayr et al. 2021, "learning the super-resolution space"). If the photos have
    noise or blur that the upscaler has to remove, give it a weight well below the pixel loss's.
    """

    def forward(self, sr: Tensor, lr: Tensor) -> Tensor:
        """A scalar, from ``sr`` (B, C, sH, sW) and ``lr`` (B, C, H, W), in [0, 1].

        Raises:
            UserError: sides of ``sr`` that are not one integer times those of ``lr``.
        """
        return lr_consistency(sr, lr)


class LowPass(nn.Module):
    """Mean absolute difference of box-filtered images; details smaller than the box are free.

    Mean ``|A(prediction) - A(target)|``, A the mean over a box inside the image.

    With a box of 5 it is the colour loss of DSGAN (Fritsche et al. 2019, arXiv:1911.07850). With a
    box and a stride of 2, A is half of the LL band of the Haar transform: the low-frequency loss of
    DASR (Wei et al. 2021, arXiv:2004.01178).

    Args:
        size: side of the box in pixels.
        stride: pixels from one box to the next.

    Raises:
        UserError: a size or stride that is not an integer of at least 1.
    """

    def __init__(self, size: int = 5, stride: int = 1) -> None:
        super().__init__()
        check_counts(size=size, stride=stride)
        self.size, self.stride = size, stride

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, 0 for equal images; of images of one shape (B, C, H, W) in [0, 1].

        Raises:
            UserError: two shapes; images smaller than the box.
        """
        return low_pass(prediction, target, self.size, self.stride)


class LowFrequency(nn.Module):
    """Mean absolute difference of Gaussian-blurred images, which leaves details free.

    Mean ``|G * prediction - G * target|``, G a Gaussian.

    DSGAN's colour loss (Fritsche et al. 2019, arXiv:1911.07850) with a Gaussian in place of its
    box. Images of two sizes (SR and LR) are compared at the smaller size; the larger one is
    downscaled by antialiased bicubic first. Borders are reflected; the kernel ends at 3 sigma. 0
    for equal images, at most 1 for images of one size in [0, 1].

    Args:
        sigma: of the Gaussian, in pixels of the smaller image.

    Raises:
        UserError: a sigma that is not positive.
    """

    def __init__(self, sigma: float = 3.0) -> None:
        super().__init__()
        _check_sigma(sigma)
        self.sigma = sigma

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, from images (B, C, H, W) in [0, 1], of one size or an integer factor apart.

        Raises:
            UserError: shapes that are neither.
        """
        return low_frequency(prediction, target, self.sigma)


class Colour(nn.Module):
    """Mean absolute difference of the blurred images' chroma (BT.601).

    Mean ``|c(G * prediction) - c(G * target)|`` over both channels, G a Gaussian.

    As :class:`LowFrequency`, including sizes and borders, but on chroma only: it fixes hue and
    saturation and leaves brightness free. DPED's colour loss (Ignatov et al. 2017,
    arXiv:1704.02470) also compares blurred images, but takes the squared difference of RGB. c =
    (Cb, Cr) = (0.564 (B - Y), 0.713 (R - Y)), each from -0.5 to 0.5. For gray images it is 0.

    Args:
        sigma: of the Gaussian, in pixels of the smaller image.

    Raises:
        UserError: a sigma that is not positive.
    """

    def __init__(self, sigma: float = 3.0) -> None:
        super().__init__()
        _check_sigma(sigma)
        self.sigma = sigma

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, from (B, 3, H, W) or (B, 1, H, W) in [0, 1]; sizes as in LowFrequency.

        Raises:
            UserError: other shapes.
        """
        return colour(prediction, target, self.sigma)


def _factor(larger: tuple[str, Tensor], smaller: tuple[str, Tensor]) -> int:
    """How many times the sides of ``smaller`` those of ``larger`` are.

    Raises:
        UserError: no one integer; other differences.
    """
    (name, x), (other, y) = larger, smaller
    if x.ndim == y.ndim == 4 and x.shape[:2] == y.shape[:2]:
        factor = x.shape[2] // max(y.shape[2], 1)
        if factor >= 1 and x.shape[2:] == (factor * y.shape[2], factor * y.shape[3]):
            return factor
    raise UserError(
        f"Argument `{name}` must be (B, C, sH, sW) with an integer s for a `{other}` of "
        f"(B, C, H, W), but got {tuple(x.shape)} and {tuple(y.shape)}."
    )


def _blurred(prediction: Tensor, target: Tensor, sigma: float) -> list[Tensor]:
    """Both images on the smaller one's grid, blurred."""
    _check_sigma(sigma)
    pair = [("prediction", at_least_float32(prediction)), ("target", at_least_float32(target))]
    if prediction.shape[-1] >= target.shape[-1]:
        factor = _factor(pair[0], pair[1])
        images = [downscale(pair[0][1], factor), pair[1][1]]
    else:
        factor = _factor(pair[1], pair[0])
        images = [pair[0][1], downscale(pair[1][1], factor)]
    taps, sigmas = 2 * math.ceil(3 * sigma) + 1, (float(sigma), float(sigma))
    kernel = get_gaussian_kernel2d(taps, sigmas, device=prediction.device, dtype=images[0].dtype)
    return [blur_and_sample(image, kernel, 1) for image in images]  # of any size, unlike kornia's


def _chroma(image: Tensor) -> Tensor:
    """Cb and Cr, (B, 2, H, W); 0 for gray; of other channels what each differs from their mean."""
    if image.shape[1] != 3:
        return image - image.mean(1, keepdim=True)
    return rgb_to_ycbcr(image)[:, 1:]


def _check_sigma(sigma: float) -> None:
    if not 0 < sigma < math.inf:
        raise UserError(f"Argument `sigma` must be a positive number, but got {sigma!r}.")
