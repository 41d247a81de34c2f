"""Full-reference metrics without learned weights: PSNR, SSIM and others."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.loss.structural import BETAS, ms_ssim_loss
from wildsr.metric.fidelity import WINDOW, psnr_of_levels, ssim_of_levels
from wildsr.metric.kind import HIGHER, Couple, Pair, Setting, at_least
from wildsr.pixels import as_rgb, luma, unit

PIXEL = "the panel's channel and border"


def psnr(setting: Setting) -> Pair:
    """Peak signal-to-noise ratio; see :func:`wildsr.metric.fidelity.psnr`."""
    return Pair(
        title="PSNR",
        better=HIGHER,
        unit="dB",
        decimals=2,
        protocol={"pixels": PIXEL},
        measure=lambda couple: psnr_of_levels(*couple.compared).item(),
    )


def ssim(setting: Setting) -> Pair:
    """Structural similarity; see :func:`wildsr.metric.fidelity.ssim`."""

    def measure(couple: Couple) -> float:
        x, y = couple.compared
        at_least(x, WINDOW, "SSIM")
        return ssim_of_levels(x, y).item()

    window = f"{WINDOW}x{WINDOW} Gaussian, sigma 1.5, K 0.01 0.03, valid region"
    return Pair(
        title="SSIM", better=HIGHER, protocol={"pixels": PIXEL, "window": window}, measure=measure
    )


def ms_ssim(setting: Setting) -> Pair:
    """Multi-scale structural similarity of 5 scales; see :class:`wildsr.loss.structural.MSSSIM`.

    The mean over the channels; both sides need at least 161 pixels after the border is cut.
    """
    smallest = (WINDOW - 1) * 2 ** (len(BETAS) - 1) + 1

    def measure(couple: Couple) -> float:
        x, y = couple.compared
        at_least(x, smallest, "MS-SSIM")
        return 1 - ms_ssim_loss(unit(x, torch.float64), unit(y, torch.float64)).item()

    return Pair(
        title="MS-SSIM",
        better=HIGHER,
        protocol={"pixels": PIXEL, "weights of the scales": list(BETAS), "smallest side": smallest},
        measure=measure,
    )


def vif(setting: Setting) -> Pair:
    """Visual information fidelity in the pixel domain (Sheikh and Bovik 2006), by piq.

    The share of the truth's information that is left, in a model of vision with noise of variance
    2: 1 for equal images, above 1 for enhanced contrast. Computed on luma from 0 to 255 (with "y":
    on Y); both sides need at least 41 pixels.
    """

    def measure(couple: Couple) -> float:
        from piq import vif_p  # slow to import

        x, y = (luma(image).float() for image in couple.compared)
        at_least(x, 41, "VIF")
        value: Tensor = vif_p(x, y, sigma_n_sq=2.0, data_range=255)
        return value.item()

    return Pair(
        title="VIF",
        better=HIGHER,
        protocol={
            "pixels": f"luma, else {PIXEL}",
            "variant": "VIFP, pixel domain, 4 scales, noise variance 2",
            "smallest side": 41,
        },
        libraries=("piq",),
        measure=measure,
    )


def haarpsi(setting: Setting) -> Pair:
    """Haar wavelet-based perceptual similarity (Reisenhofer et al. 2018, eq. 12), by piq.

    Similarities of Haar coefficients at two scales, weighted by those of a third; in (0, 1], 1 for
    equal images. With "rgb" the chroma channels count, too. Both sides need at least 16 pixels.
    """

    def measure(couple: Couple) -> float:
        from piq import haarpsi  # slow to import

        x, y = couple.compared
        at_least(x, 16, "HaarPSI")
        value: Tensor = haarpsi(x.float(), y.float(), data_range=255)
        return value.item()

    return Pair(
        title="HaarPSI",
        better=HIGHER,
        protocol={"pixels": PIXEL, "constants": "C 30, alpha 4.2, subsampled", "smallest side": 16},
        libraries=("piq",),
        measure=measure,
    )


def fsim(setting: Setting) -> Pair:
    """Feature similarity (Zhang et al. 2011, eq. 5; FSIMc, eq. 8, on RGB), by piq.

    Similarities of phase congruency and gradient, weighted by the former; in (0, 1]. Both sides
    need at least 16 pixels.
    """

    def measure(couple: Couple) -> float:
        from piq import fsim  # slow to import

        x, y = couple.compared
        if x.shape[1] not in (1, 3):
            x, y = (as_rgb(image, setting.sensor.bands) for image in (x, y))
        at_least(x, 16, "FSIM")
        value: Tensor = fsim(x.float(), y.float(), data_range=255, chromatic=x.shape[1] == 3)
        return value.item()

    return Pair(
        title="FSIM",
        better=HIGHER,
        protocol={
            "pixels": PIXEL,
            "variant": "FSIMc on RGB, FSIM on Y",
            "smallest side": 16,
        },
        libraries=("piq",),
        measure=measure,
    )
