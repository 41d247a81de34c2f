"""SSIM and MS-SSIM as losses."""

from __future__ import annotations

import torch
from kornia.filters import filter2d_separable, get_gaussian_kernel1d
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.loss.pixel import comparable

WINDOW, SIGMA = 11, 1.5  # taps and standard deviation of the Gaussian window
BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # fine to coarse; Wang et al. 2003, section 3.2
_C1, _C2 = 0.01**2, 0.03**2  # for a data range of 1
# Lower bound of means before they are raised to a power: powers of negative numbers are NaN, and
# close to 0 the gradient grows without limit.
_FLOOR = 1e-4


def ssim_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """``1 - SSIM`` of two images (B, C, H, W), a scalar; see :class:`SSIM`."""
    prediction, target = _windowed(prediction, target, smallest=WINDOW)
    luminance, contrast = _similarities(prediction, target)
    return 1 - (luminance * contrast).mean()


def ms_ssim_loss(prediction: Tensor, target: Tensor, scales: int = 5) -> Tensor:
    """``1 - MS-SSIM`` of two images (B, C, H, W), a scalar; see :class:`MSSSIM`."""
    _check_scales(scales)
    prediction, target = _windowed(prediction, target, (WINDOW - 1) * 2 ** (scales - 1) + 1)
    total = 1 if scales == len(BETAS) else sum(BETAS[:scales])  # the paper's own sum is 1.0001
    product = prediction.new_ones(prediction.shape[:2])
    for scale, beta in enumerate(BETAS[:scales], start=1):
        luminance, contrast = _similarities(prediction, target)
        similarity = luminance * contrast if scale == scales else contrast
        product = product * similarity.mean((2, 3)).clamp_min(_FLOOR) ** (beta / total)
        # An odd last row is averaged with its mirror image, as in the authors' code.
        prediction, target = (F.avg_pool2d(x, 2, ceil_mode=True) for x in (prediction, target))
    return 1 - product.mean()


class SSIM(nn.Module):
    r"""One minus the structural similarity (Wang et al. 2004, eq. 13).

    .. math:: 1 - mean \frac{(2 \mu_x \mu_y + C_1)(2 \sigma_{xy} + C_2)}
        {(\mu_x^2 + \mu_y^2 + C_1)(\sigma_x^2 + \sigma_y^2 + C_2)}

    Local moments under an 11 x 11 Gaussian window of sigma 1.5, C = (0.01^2, 0.03^2) for images in
    [0, 1]; the mean is over the window's valid region, the channels and the batch. 0 for equal
    images, at most 2 for images in [0, 1]. The metric of :mod:`wildsr.metric.fidelity` is the same
    similarity, of images rounded to 8 bits.
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, from two images (B, C, H, W) of one shape in [0, 1].

        Raises:
            UserError: two shapes; a side below 11 pixels.
        """
        return ssim_loss(prediction, target)


class MSSSIM(nn.Module):
    r"""One minus the multi-scale structural similarity (Wang et al. 2003, eq. 7).

    .. math:: 1 - mean\; \overline{l_M c_M}^{\,\beta_M} \prod_{j<M} \overline{c_j}^{\,\beta_j}

    with l the luminance factor of SSIM's map, c its contrast and structure factor, the bars means
    over scale j's valid region, and the outer mean over channels and batch. Scale j + 1 is scale j
    averaged over 2 x 2 pixels. Fewer scales than 5 use the first of the paper's betas, divided by
    their sum; one scale is SSIM. In [0, 1), 0 for equal images.

    Means below 1e-4 are clamped to 1e-4 and have no gradient, since powers of negative means do
    not exist. A prediction that is unlike its target at every scale gets no gradient.

    Args:
        scales: 1 to 5; they need sides of 11, 21, 41, 81 and 161 pixels.

    Raises:
        UserError: another number of scales.
    """

    def __init__(self, scales: int = 5) -> None:
        super().__init__()
        _check_scales(scales)
        self.scales = scales

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, from two images (B, C, H, W) of one shape in [0, 1].

        Raises:
            UserError: two shapes; a side too short for the scales.
        """
        return ms_ssim_loss(prediction, target, self.scales)


def _similarities(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM's luminance factor, and its contrast and structure factor, (B, C, H - 10, W - 10)."""
    with torch.autocast(x.device.type, enabled=False):
        window = get_gaussian_kernel1d(WINDOW, SIGMA, device=x.device, dtype=x.dtype)
        products = torch.stack([x, y, x * x, y * y, x * y])
        # All as channels of one image: CUDA computes single-channel convolutions in TF32, too
        # coarse for differences of squares, but grouped ones in float32.
        channels = products.flatten(0, 2)[None]
        moments = filter2d_separable(channels, window, window, padding="valid")
    mean_x, mean_y, xx, yy, xy = moments[0].unflatten(0, products.shape[:3])
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x.square() + mean_y.square() + _C1)
    covariance = xy - mean_x * mean_y
    variances = (xx - mean_x.square()) + (yy - mean_y.square())
    return luminance, (2 * covariance + _C2) / (variances + _C2)


def _windowed(prediction: Tensor, target: Tensor, smallest: int) -> tuple[Tensor, Tensor]:
    prediction, target = comparable(prediction, target)
    if prediction.ndim != 4 or min(prediction.shape[2:]) < smallest:
        raise UserError(
            f"Argument `prediction` must be (B, C, H, W) with sides of at least {smallest} pixels, "
            f"but got {tuple(prediction.shape)}."
        )
    return prediction, target


def _check_scales(scales: int) -> None:
    choices = list(range(1, len(BETAS) + 1))
    if isinstance(scales, bool) or scales not in choices:
        raise UserError(f"Argument `scales` must be one of {choices}, but got {scales!r}.")
