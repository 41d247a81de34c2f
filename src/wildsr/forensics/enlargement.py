"""Detect whether a photo was enlarged by interpolation, and by which factor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wildsr.forensics.lattice import BLOCK, Array
from wildsr.forensics.planes import planes

SIDE = 1536  # side in pixels of the part of the photo that is examined, from the corner
LEAST_SIDE = 96
BINS = 4096  # of the Fourier transform; frequencies in steps of 1 / BINS
LOWEST, HIGHEST = 0.15, 0.48  # cycles a pixel; below are the scenes' own, 1/2 is a sensor's mosaic
ENOUGH = 6.5  # height of a peak, in multiples of the spectrum's median
AROUND = 31  # pixels of the running median that estimates the scene's share
STRONG = 30.0  # levels; second differences are clipped to this
ALONE = 3.0  # factor by which a multiple of 1/8 must exceed the others, as JPEG raises all alike
CERTAIN = 15.0  # required height of a multiple of 1/8, in multiples of the median
LACK = -1.5  # decades of power; soft scenes lack up to one
GRID = 0.002  # cycles a pixel from a multiple of 1/8 within which a peak may be a codec's grid
SOFT = -0.5  # decades of power that an enlarged photo lacks beyond; WebP lacks up to 0.45


def read_enlargement(photo: npt.NDArray[np.uint8]) -> float | None:
    """Find the factor by which a photo was enlarged by interpolation; None without a sign of it.

    Between the pixels of the original photo, second differences of an interpolation are smaller
    than on them, so that their mean over rows is periodic, with one period per original pixel
    (Gallagher 2005, "Detection of linear and cubic interpolation in JPEG compressed images"). The
    same factor must show along both axes. Reduction cannot be detected, nor can enlargement by less
    than 1.18, or by 2, which looks like a sensor's colour mosaic. Blocks of 4 x 4 pixels (WebP)
    have the period of an enlargement by 4/3, which is found if frequencies are missing as well:
    where it was bilinear they are not. The factors s and s / (s - 1) give the same period: the
    smaller one is returned, unless the spectrum is as empty as only the larger one leaves it; so a
    factor above 2 may come out as the smaller one.

    Args:
        photo: uint8 (H, W, 3), (H, W, 1) or (H, W), as decoded.
    """
    if min(photo.shape[:2]) < LEAST_SIDE:
        return None
    luma = planes(photo[:SIDE, :SIDE]).luma
    spectrum = np.sqrt(_spectrum(luma) * _spectrum(luma.T))
    frequencies = np.arange(len(spectrum)) / BINS
    spectrum[(frequencies < LOWEST) | (frequencies > HIGHEST)] = 0
    _without_grid(spectrum, frequencies, 4 / min(luma.shape))
    place = int(spectrum.argmax())
    if spectrum[place] < ENOUGH:
        return None
    frequency = float(frequencies[place])
    # An enlargement by s repeats itself at 1/s, which below a factor of 2 folds back to 1 - 1/s.
    smaller, larger = 1 / (1 - frequency), 1 / frequency
    if _is_empty_between(luma, smaller, larger):
        return larger
    on_grid = abs(frequency * BLOCK - round(frequency * BLOCK)) < GRID * BLOCK
    return smaller if not on_grid or _is_soft(luma, smaller) else None


def _spectrum(luma: Array) -> Array:
    """Spectrum of second differences along rows, averaged over columns, over its median."""
    strength = np.minimum(np.abs(np.diff(luma, n=2, axis=1)), STRONG).mean(0)
    padded = np.pad(strength, AROUND // 2, mode="reflect")
    scene = np.median(np.lib.stride_tricks.sliding_window_view(padded, AROUND), axis=1)
    rest = strength / np.maximum(scene, 1e-3) - 1
    spread = 3 * rest.std()
    rest = np.clip(rest, -spread, spread) * np.hanning(len(rest))
    found = np.abs(np.fft.rfft(rest, BINS))
    return (found / max(float(np.median(found)), 1e-9)).astype(np.float32)


def _without_grid(spectrum: Array, frequencies: npt.NDArray, width: float) -> None:
    """Set peaks at multiples of 1/8 to zero unless one stands out: JPEG's block edges make them."""
    combs = [np.abs(frequencies - k / BLOCK) < width for k in (1, 2, 3)]
    heights = [float(spectrum[comb].max()) for comb in combs]
    for k, comb in enumerate(combs):
        if heights[k] < max(CERTAIN, ALONE * max(heights[:k] + heights[k + 1 :])):
            spectrum[comb] = 0


def _is_empty_between(luma: Array, smaller: float, larger: float) -> bool:
    """Whether a plane lacks the frequencies that only an enlargement by ``smaller`` can have."""
    low, high = 0.5 / larger, 0.5 / smaller
    return _decades(luma, (0.9 * low + 0.1 * high, high), (0.5 * low, 0.9 * low)) < LACK


def _is_soft(luma: Array, factor: float) -> bool:
    """Whether a plane has little of the frequencies that an enlargement by ``factor`` lacks."""
    last = 0.5 / factor
    return _decades(luma, (1.07 * last, 0.49), (0.53 * last, 0.8 * last)) < SOFT


def _decades(luma: Array, beyond: tuple[float, float], within: tuple[float, float]) -> float:
    """Power between two frequencies over that between two lower ones, log10, mean of both axes.

    Photos have about the same power in each octave; one enlarged by s has little of what its
    original could not contain, frequencies above 1 / (2 s).
    """
    ratios = []
    for plane in (luma, luma.T):
        window = np.hanning(plane.shape[1])
        power = (np.abs(np.fft.rfft((plane - plane.mean()) * window, axis=1)) ** 2).mean(0)
        at = np.arange(len(power)) / plane.shape[1]
        even = power * at**2 + 1e-12
        upper, lower = (np.median(even[(at > low) & (at < high)]) for low, high in (beyond, within))
        ratios.append(np.log10(upper / lower))
    return float(np.mean(ratios))
