"""PSNR and SSIM of pairs that are not exactly aligned, at the best small shift."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.error import UserError
from wildsr.metric.fidelity import WINDOW, psnr_of_levels, ssim_of_levels
from wildsr.metric.kind import HIGHER, Couple, Pair, Setting, at_least

REACH = 4  # pixels in each direction


def best_shift(x: Tensor, y: Tensor, reach: int = REACH) -> tuple[int, int]:
    """Find the shift (down, right), in whole pixels, at which ``x`` matches ``y`` best.

    The shift with the least mean squared difference to the inner part of ``y``, ``reach`` pixels
    from its border, so that all shifts are compared on the same pixels of the truth (Maertens et
    al. 2019, arXiv:1907.01821, "cPSNR"; without its brightness correction). Computed for all
    ``(2 reach + 1)^2`` shifts by one FFT correlation in float64. Of equal differences, the first
    from the top left is taken.

    Args:
        x: (1, C, H, W).
        y: (1, C, H, W).
        reach: the largest shift.

    Raises:
        UserError: nothing would be left of ``y``, or ``reach`` is negative.
    """
    if reach < 0 or min(y.shape[2:]) <= 2 * reach:
        raise UserError(
            f"Argument `reach` must be from 0 to less than half of {y.shape[2]} x {y.shape[3]} "
            f"pixels, but got {reach}."
        )
    mean = y.double().mean()  # centred values lose fewer digits
    x, y = x.double() - mean, y.double() - mean
    inner = _inner(y, reach)
    size = (x.shape[2], x.shape[3])  # circular: the shifts that are kept never wrap around
    shifts = (..., slice(2 * reach + 1), slice(2 * reach + 1))

    def correlation(a: Tensor, b: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(a, s=size) * torch.fft.rfft2(b, s=size).conj()
        return torch.fft.irfft2(spectrum, s=size)[shifts].sum(dim=(0, 1))

    energies = correlation(x.square(), torch.ones_like(inner))
    squared = energies - 2 * correlation(x, inner)  # plus the energy of `inner`, the same for all
    at = int(squared.argmin())
    return at // (2 * reach + 1) - reach, at % (2 * reach + 1) - reach


def aligned(x: Tensor, y: Tensor, reach: int = REACH) -> tuple[Tensor, Tensor]:
    """Crop both images (1, C, H, W) so that they match best: (1, C, H - 2 reach, W - 2 reach) each.

    Of ``y`` the inner part is returned.
    """
    down, right = best_shift(x, y, reach)
    height, width = (side - 2 * reach for side in y.shape[2:])
    top, left = reach + down, reach + right
    return x[..., top : top + height, left : left + width], _inner(y, reach)


def shift_psnr(setting: Setting) -> Pair:
    """PSNR at the best shift within 4 pixels; never below that of the unshifted inner part."""

    def measure(couple: Couple) -> float:
        x, y = couple.compared
        at_least(x, 2 * REACH + 1, "The best shift")
        return psnr_of_levels(*aligned(x, y)).item()

    return Pair(
        title="PSNR shifted",
        better=HIGHER,
        unit="dB",
        decimals=2,
        protocol=_PROTOCOL,
        measure=measure,
    )


def shift_ssim(setting: Setting) -> Pair:
    """SSIM at the shift of the best PSNR; see :func:`shift_psnr`."""

    def measure(couple: Couple) -> float:
        x, y = couple.compared
        at_least(x, 2 * REACH + WINDOW, "The best shift")
        return ssim_of_levels(*aligned(x, y)).item()

    return Pair(title="SSIM shifted", better=HIGHER, protocol=_PROTOCOL, measure=measure)


_PROTOCOL = {
    "pixels": "the panel's channel and border",
    "shift": f"whole pixels, up to {REACH}, of the least squared difference",
    "compared": f"the truth's inner part, {REACH} pixels from its border",
}


def _inner(y: Tensor, reach: int) -> Tensor:
    return y[..., reach : y.shape[-2] - reach, reach : y.shape[-1] - reach]
