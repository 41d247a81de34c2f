"""Full-reference metrics without learned weights, as functions of arrays and tensors.

All take one image each, (H, W, 3) or (H, W) arrays or (3, H, W) tensors, uint8 or floats in [0, 1],
and round it to 8 bits first, as a file would hold it. `channel` is "rgb", or "y" for the Y of
BT.601; `border` pixels are cut from every side: super-resolution benchmarks cut as many as the
scale.
"""

from __future__ import annotations

from wildsr.api.images import AnyImage
from wildsr.api.measuring import with_truth


def psnr(sr: AnyImage, hr: AnyImage, *, channel: str = "rgb", border: int = 0) -> float:
    """Peak signal-to-noise ratio, in dB: 10 log10(255^2 / mean squared difference).

    Infinite for equal images.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.
        channel: "rgb" or "y".
        border: pixels cut from every side.

    Raises:
        UserError: the sizes differ, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> round(wildsr.psnr(hr // 2, hr), 2)
        11.99
    """
    return with_truth("psnr", sr, hr, channel, border)


def ssim(sr: AnyImage, hr: AnyImage, *, channel: str = "rgb", border: int = 0) -> float:
    """Structural similarity (Wang et al. 2004, eq. 13); 1 for equal images.

    Both sides must have at least 11 pixels.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.
        channel: "rgb" or "y".
        border: pixels cut from every side.

    Raises:
        UserError: the sizes differ, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> round(wildsr.ssim(hr // 2, hr), 3)
        0.728
    """
    return with_truth("ssim", sr, hr, channel, border)


def ms_ssim(sr: AnyImage, hr: AnyImage, *, channel: str = "rgb", border: int = 0) -> float:
    """Structural similarity over five scales (Wang et al. 2003); 1 for equal images.

    Both sides must have at least 161 pixels.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.
        channel: "rgb" or "y".
        border: pixels cut from every side.

    Raises:
        UserError: the sizes differ, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:192, :192]
        >>> round(wildsr.ms_ssim(hr // 2, hr), 3)
        0.847
    """
    return with_truth("ms_ssim", sr, hr, channel, border)


def vif(sr: AnyImage, hr: AnyImage, *, channel: str = "rgb", border: int = 0) -> float:
    """Visual information fidelity in the pixel domain (Sheikh and Bovik 2006); 1 if equal.

    Both sides must have at least 41 pixels.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.
        channel: "rgb" or "y".
        border: pixels cut from every side.

    Raises:
        UserError: the sizes differ, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> round(wildsr.vif(hr, hr), 3)
        1.0
    """
    return with_truth("vif", sr, hr, channel, border)


def haarpsi(sr: AnyImage, hr: AnyImage, *, channel: str = "rgb", border: int = 0) -> float:
    """Haar wavelet-based perceptual similarity (Reisenhofer et al. 2018); 1 if equal.

    Both sides must have at least 16 pixels.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.
        channel: "rgb" or "y".
        border: pixels cut from every side.

    Raises:
        UserError: the sizes differ, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> round(wildsr.haarpsi(hr // 2, hr), 3)
        0.754
    """
    return with_truth("haarpsi", sr, hr, channel, border)


def fsim(sr: AnyImage, hr: AnyImage, *, channel: str = "rgb", border: int = 0) -> float:
    """Feature similarity (Zhang et al. 2011); 1 for equal images.

    Both sides must have at least 16 pixels.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.
        channel: "rgb" or "y".
        border: pixels cut from every side.

    Raises:
        UserError: the sizes differ, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> round(wildsr.fsim(hr // 2, hr), 3)
        0.906
    """
    return with_truth("fsim", sr, hr, channel, border)


def shift_psnr(sr: AnyImage, hr: AnyImage, *, channel: str = "rgb", border: int = 0) -> float:
    """PSNR at the best shift by up to 4 pixels, in dB: for pairs that are not exactly aligned.

    Infinite for images that a shift makes equal.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.
        channel: "rgb" or "y".
        border: pixels cut from every side.

    Raises:
        UserError: the sizes differ, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> wildsr.shift_psnr(numpy.roll(hr, 2, axis=1), hr)
        inf
    """
    return with_truth("shift_psnr", sr, hr, channel, border)


def shift_ssim(sr: AnyImage, hr: AnyImage, *, channel: str = "rgb", border: int = 0) -> float:
    """SSIM at the shift that :func:`shift_psnr` finds: for pairs that are not exactly aligned.

    Both sides must have at least 19 pixels.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.
        channel: "rgb" or "y".
        border: pixels cut from every side.

    Raises:
        UserError: the sizes differ, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> wildsr.shift_ssim(numpy.roll(hr, 2, axis=1), hr)
        1.0
    """
    return with_truth("shift_ssim", sr, hr, channel, border)
