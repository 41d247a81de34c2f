"""Radially averaged power spectrum of a photo."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.pixels import luma

WINDOW = 32  # pixels a side
FREQUENCIES = torch.arange(1, 17, dtype=torch.float64) / 32  # cycles per pixel, to Nyquist


def radial_spectrum(photo: Tensor) -> Tensor:
    """Power spectrum of the luma, averaged over all directions.

    The photo is cut into 32x32 windows that overlap by half; the mean is removed and a Hann window
    applied. Their power spectra are averaged geometrically (a few high-contrast windows would
    dominate an arithmetic mean), then over rings one frequency step wide.

    Args:
        photo: (3, H, W), 0 to 255, sides of at least 32 pixels.

    Returns:
        (16,) in dB at ``FREQUENCIES``; for white noise of standard deviation s it is 20 log10(s) -
        2.5 everywhere (the geometric mean of an exponential variable is 2.5 dB below its mean).
    """
    windows = luma(photo.double())[0].unfold(0, WINDOW, WINDOW // 2).unfold(1, WINDOW, WINDOW // 2)
    windows = windows.reshape(-1, WINDOW, WINDOW)
    hann = torch.hann_window(WINDOW, periodic=True, dtype=torch.float64)
    taper = hann[:, None] * hann
    windows = (windows - windows.mean((1, 2), keepdim=True)) * taper
    power = torch.fft.fft2(windows).abs().square() / taper.square().sum()
    decibel = 10 * power.clamp(min=1e-3).log10().mean(0)  # 1e-3 is far below 8-bit rounding noise
    axis = torch.fft.fftfreq(WINDOW, dtype=torch.float64)
    ring = ((axis[:, None] ** 2 + axis**2).sqrt() * WINDOW).round().long()
    return torch.stack([decibel[ring == number + 1].mean() for number in range(len(FREQUENCIES))])
