"""Add Gaussian noise: white, gray, multiplicative or correlated.

Images are (B, 1, H, W) or (B, 3, H, W), floats in [0, 1]; results have the same shape and float32
at least, and are neither clamped nor rounded. A parameter is one number or (B,), one for each
sample. Random numbers come from ``generators`` (see :mod:`wildsr.degradation.draw`) or are given as
``draws``: standard normal numbers in the image's shape. Everything is differentiable in the image
and in parameters that scale the draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wildsr.degradation.argument import check_image, for_each
from wildsr.degradation.draw import draws_for
from wildsr.error import UserError
from wildsr.pixels import at_least_float32

Generators = Sequence[torch.Generator] | None


def gaussian(
    image: Tensor,
    sigma: Tensor | float,
    gray: Tensor | None = None,
    draws: Tensor | None = None,
    generators: Generators = None,
) -> Tensor:
    """Add white Gaussian noise: ``image + sigma n``, n standard normal.

    Args:
        image: (B, C, H, W), C = 1 or 3.
        sigma: standard deviation, in [0, 1] units; one number or (B,).
        gray: (B,) booleans: samples whose noise is the same in all channels (gray noise); None:
            none.
        draws: n, the shape of ``image``.
        generators: to draw n from.

    Raises:
        UserError: shapes that do not fit, or both draws and generators.
    """
    check_image(image, (1, 3))
    image = at_least_float32(image)
    noise = shared(draws_for(image, draws, generators), gray)
    return torch.addcmul(image, noise, for_each("sigma", sigma, image))


def speckle(
    image: Tensor,
    sigma: Tensor | float,
    draws: Tensor | None = None,
    generators: Generators = None,
) -> Tensor:
    """Add speckle (multiplicative) noise: ``image (1 + sigma n)``, n standard normal.

    Args:
        image: (B, C, H, W), C = 1 or 3.
        sigma: standard deviation relative to the brightness; one number or (B,).
        draws: n, the shape of ``image``.
        generators: to draw n from.

    Raises:
        UserError: shapes that do not fit, or both draws and generators.
    """
    check_image(image, (1, 3))
    image = at_least_float32(image)
    noise = draws_for(image, draws, generators)
    return torch.addcmul(image, image * noise, for_each("sigma", sigma, image))


def correlated(
    image: Tensor,
    covariance: Tensor,
    kernel: Tensor | None = None,
    draws: Tensor | None = None,
    generators: Generators = None,
) -> Tensor:
    r"""Add Gaussian noise that is correlated between channels and, with a kernel, pixels.

    .. math:: image + L (k \star n) / \|k\|_2, \qquad L L^T = covariance

    with n standard normal: the covariance of the channels at a pixel is the given one, for any
    kernel, and the correlation of two pixels is the kernel's autocorrelation. The filter wraps
    around the borders, as any other padding would change the variance. Without a kernel it is the
    correlated noise of BSRGAN (Zhang et al. 2021, arXiv:2103.14006, section 3.3).

    Args:
        image: (B, C, H, W), C = 1 or 3.
        covariance: (B, C, C), symmetric, no eigenvalue below 0; in [0, 1] units squared.
            ``sigma ** 2 * torch.eye(3)`` for independent channels. 1e-9 is added to the diagonal
            (a standard deviation of 0.01/255), so that singular matrices have a root, too.
        kernel: (B, k, k) or (1, k, k); of any sum, but not all 0. None: independent pixels.
        draws: n, the shape of ``image``.
        generators: to draw n from.

    Raises:
        UserError: shapes that do not fit, both draws and generators, a kernel of zeros, or a
            covariance with a negative eigenvalue.
    """
    check_image(image, (1, 3))
    image = at_least_float32(image)
    noise = draws_for(image, draws, generators)
    root = _root(covariance, image)
    if kernel is not None:
        noise = _filtered(noise, kernel)
    with torch.autocast(image.device.type, enabled=False):
        return image + (root @ noise.flatten(2)).view_as(image)


def gray_mask(gray: Tensor, image: Tensor) -> Tensor:
    """Reshape ``gray`` to (B, 1, 1, 1) for broadcasting with ``image``.

    Raises:
        UserError: it is not (B,) booleans.
    """
    if gray.shape != image.shape[:1] or gray.dtype != torch.bool:
        raise UserError(
            f"Argument `gray` must be ({len(image)},) booleans, "
            f"but got {tuple(gray.shape)} of {gray.dtype}."
        )
    return gray.to(image.device).view(-1, 1, 1, 1)


def shared(noise: Tensor, gray: Tensor | None) -> Tensor:
    """Copy the first channel of the noise to all channels of the samples marked ``gray`` (B,)."""
    return noise if gray is None else torch.where(gray_mask(gray, noise), noise[:, :1], noise)


def _root(covariance: Tensor, image: Tensor) -> Tensor:
    """The Cholesky factors (B, C, C), in the image's precision."""
    batch, channels = image.shape[:2]
    if covariance.shape != (batch, channels, channels):
        raise UserError(
            f"Argument `covariance` must be ({batch}, {channels}, {channels}), "
            f"but got {tuple(covariance.shape)}."
        )
    # In float64 on the CPU: in float32 eigenvalues of 0 can become negative; MPS has no float64.
    exact = covariance.cpu().double()
    root, failed = torch.linalg.cholesky_ex(exact + 1e-9 * torch.eye(channels).double())
    if bool(failed.any()):
        wrong = covariance[int(failed.nonzero()[0, 0])].tolist()
        raise UserError(
            f"Argument `covariance` must hold matrices without negative eigenvalues, but got "
            f"{wrong}."
        )
    return root.to(image)


def _filtered(noise: Tensor, kernel: Tensor) -> Tensor:
    """Each image correlated with its kernel of norm 1, round the borders."""
    side = kernel.shape[-1] if kernel.ndim == 3 else 0
    if kernel.shape not in ((len(noise), side, side), (1, side, side)) or not side:
        raise UserError(
            f"Argument `kernel` must be ({len(noise)}, k, k) or (1, k, k), "
            f"but got {tuple(kernel.shape)}."
        )
    height, width = noise.shape[2:]
    taps = torch.arange(side, device=noise.device) - side // 2
    # A kernel larger than the image wraps around to the same pixels: these taps are summed first.
    whole = kernel.to(noise)
    whole = whole.new_zeros(len(whole), height, side).index_add(1, taps % height, whole)
    whole = whole.new_zeros(len(whole), height, width).index_add(2, taps % width, whole)
    norm = whole.square().sum((1, 2), keepdim=True).sqrt()
    if norm.device.type == "cpu" and not bool((norm > 0).all()):  # a GPU would have to be awaited
        raise UserError("Argument `kernel` must hold kernels that are not all 0.")
    spectrum = torch.fft.rfft2(whole / norm).conj()[:, None]
    return torch.fft.irfft2(torch.fft.rfft2(noise) * spectrum, s=(height, width))
