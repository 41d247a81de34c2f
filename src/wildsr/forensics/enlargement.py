"""Whether a photo's pixels were enlarged since they were taken, and by how much."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wildsr.forensics.lattice import BLOCK, Array
from wildsr.forensics.planes import planes

SIDE = 1536  # pixels of the photo that are looked at, from the corner
LEAST_SIDE = 96
BINS = 4096  # of the Fourier transform; frequencies in steps of 1 / BINS
LOWEST, HIGHEST = 0.15, 0.48  # cycles a pixel; below are the scenes' own, 1/2 is a sensor's mosaic
ENOUGH = 6.5  # times the median of the spectrum
AROUND = 31  # pixels of the running median that stands for the scene
STRONG = 30.0  # levels; second differences above count as this
ALONE = 3.0  # times that a multiple of 1/8 must stand out from the others, which JPEG has alike
CERTAIN = 15.0  # times the median, of a multiple of 1/8
LACK = -1.5  # decades of power; soft scenes lack up to one


def read_enlargement(photo: npt.NDArray[np.uint8]) -> float | None:
    """Find the factor by which a photo was enlarged by interpolation; None if it shows none.

    Between the pixels of a smaller photo, second differences of an interpolation are smaller than
    on them, so that their mean over rows repeats itself once for each old pixel (Gallagher 2005,
    "Detection of linear and cubic interpolation in JPEG compressed images"). The same factor must
    show along both axes. A reduced photo shows nothing of the kind, and neither does one that was
    enlarged by less than 1.18, or by 2, which looks like the mosaic of a sensor. Of s and
    s / (s - 1), which repeat themselves alike, the smaller is meant, unless the spectrum is as
    empty as only the larger leaves it: a factor above 2 may come out as the smaller one.

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
    return larger if _is_empty_between(luma, smaller, larger) else smaller


def _spectrum(luma: Array) -> Array:
    """Of the second differences along rows, their mean over columns; relative to its median."""
    strength = np.minimum(np.abs(np.diff(luma, n=2, axis=1)), STRONG).mean(0)
    padded = np.pad(strength, AROUND // 2, mode="reflect")
    scene = np.median(np.lib.stride_tricks.sliding_window_view(padded, AROUND), axis=1)
    rest = strength / np.maximum(scene, 1e-3) - 1
    spread = 3 * rest.std()
    rest = np.clip(rest, -spread, spread) * np.hanning(len(rest))
    found = np.abs(np.fft.rfft(rest, BINS))
    return (found / max(float(np.median(found)), 1e-9)).astype(np.float32)


def _without_grid(spectrum: Array, frequencies: npt.NDArray, width: float) -> None:
    """Blank the multiples of 1/8 that stand out alike: those are the edges of JPEG's blocks."""
    combs = [np.abs(frequencies - k / BLOCK) < width for k in (1, 2, 3)]
    heights = [float(spectrum[comb].max()) for comb in combs]
    for k, comb in enumerate(combs):
        if heights[k] < max(CERTAIN, ALONE * max(heights[:k] + heights[k + 1 :])):
            spectrum[comb] = 0


def _is_empty_between(luma: Array, smaller: float, larger: float) -> bool:
    """Whether a plane lacks the frequencies that only an enlargement by ``smaller`` can have.

    Photos have about the same power in each octave; an enlarged one has little of what its smaller
    self could not hold, frequencies above 1 / (2 s).
    """
    low, high = 0.5 / larger, 0.5 / smaller
    lacks = []
    for plane in (luma, luma.T):
        window = np.hanning(plane.shape[1])
        power = (np.abs(np.fft.rfft((plane - plane.mean()) * window, axis=1)) ** 2).mean(0)
        at = np.arange(len(power)) / plane.shape[1]
        even = power * at**2 + 1e-12
        beyond = np.median(even[(at > 0.9 * low + 0.1 * high) & (at < high)])
        within = np.median(even[(at > 0.5 * low) & (at < 0.9 * low)])
        lacks.append(np.log10(beyond / within))
    return bool(np.mean(lacks) < LACK)
