"""No-reference metrics of a result, as functions of arrays and tensors.

All take one image each, (H, W, 3) or (H, W) arrays or (3, H, W) tensors, uint8 or floats in [0, 1],
and round it to 8 bits first, as a file would hold it. Some compare the result with its LR photo.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from wildsr.api.images import AnyImage
from wildsr.api.measuring import alone


def lr_consistency(sr: AnyImage, lr: AnyImage) -> float:
    """PSNR between the LR photo and the bicubically downscaled result, in dB; higher is better.

    Args:
        sr: the result of an upscaler.
        lr: the LR photo that it was made from.

    Raises:
        UserError: the sizes do not fit together, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> round(wildsr.lr_consistency(sr, lr), 1)
        23.2
    """
    return alone("lr_consistency", sr, lr)


def lr_consistency_learned(
    sr: AnyImage, lr: AnyImage, degrader: Callable[[Tensor], Tensor]
) -> float:
    """As :func:`lr_consistency`, but the result is degraded by ``degrader``, in dB.

    Args:
        sr: the result of an upscaler.
        lr: the LR photo that it was made from.
        degrader: HR to LR: from :func:`wildsr.load_degrader`, or any function of tensors.

    Raises:
        UserError: the sizes do not fit together, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> round(wildsr.lr_consistency_learned(sr, lr, wildsr.Pipeline("bicubic", scale=4)), 1)
        23.2
    """
    return alone("lr_consistency_learned", sr, lr, degrader)


def lr_discrepancy(sr: AnyImage, lr: AnyImage, degrader: Callable[[Tensor], Tensor]) -> float:
    """How far the LR residual is from the noise level of the degradation, in dB; 0 is best.

    The residual is the LR photo minus the degraded result; if it is larger than the noise, detail
    is missing or wrong; if it is smaller, noise was taken over into the result.

    Args:
        sr: the result of an upscaler.
        lr: the LR photo that it was made from.
        degrader: HR to LR: from :func:`wildsr.load_degrader`, or any function of tensors.

    Raises:
        UserError: the sizes do not fit together, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> wildsr.lr_discrepancy(sr, lr, wildsr.Pipeline("bicubic", scale=4)) >= 0
        True
    """
    return alone("lr_discrepancy", sr, lr, degrader)


def colour_drift(sr: AnyImage, lr: AnyImage) -> float:
    """Colour shift between result and LR photo, as CIE 1976 Delta E; 2.3 is just noticeable.

    Args:
        sr: the result of an upscaler.
        lr: the LR photo that it was made from.

    Raises:
        UserError: the sizes do not fit together, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> round(wildsr.colour_drift(sr, lr), 1)
        1.6
    """
    return alone("colour_drift", sr, lr)


def noise_residue(sr: AnyImage) -> float:
    """Standard deviation of the noise left in the flattest regions, in 1/255; lower is better.

    Args:
        sr: the result of an upscaler.

    Raises:
        UserError: the image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> round(wildsr.noise_residue(sr), 1)
        1.2
    """
    return alone("noise_residue", sr)


def sharpness(sr: AnyImage) -> float:
    """Sharpness, 1 minus the blur effect (Crete et al. 2007); compare with that of sharp photos.

    Args:
        sr: the result of an upscaler.

    Raises:
        UserError: the image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> round(wildsr.sharpness(sr), 2)
        0.57
    """
    return alone("sharpness", sr)


def ringing(sr: AnyImage, lr: AnyImage) -> float:
    """Strength of halos (overshoot) beside strong edges, in 1/255; lower is better.

    Args:
        sr: the result of an upscaler.
        lr: the LR photo that it was made from.

    Raises:
        UserError: the sizes do not fit together, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> round(wildsr.ringing(sr, lr), 1)
        0.0
    """
    return alone("ringing", sr, lr)


def blockiness(sr: AnyImage, lr: AnyImage) -> float:
    """Strength of the LR photo's JPEG block edges left in the result, in 1/255; lower is better.

    Args:
        sr: the result of an upscaler.
        lr: the LR photo that it was made from.

    Raises:
        UserError: the sizes do not fit together, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> round(wildsr.blockiness(sr, lr), 1)
        0.1
    """
    return alone("blockiness", sr, lr)


def checkerboard(sr: AnyImage, lr: AnyImage) -> float:
    """Strength of the checkerboard pattern that an upscaler leaves, in 1/255; lower is better.

    Args:
        sr: the result of an upscaler.
        lr: the LR photo that it was made from.

    Raises:
        UserError: the sizes do not fit together, or an image is too small.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> round(wildsr.checkerboard(sr, lr), 1)
        0.1
    """
    return alone("checkerboard", sr, lr)


def niqe(sr: AnyImage) -> float:
    """No-reference quality NIQE (Mittal et al. 2013), by pyiqa; lower is better.

    Needs the package pyiqa and its weights on disk.

    Args:
        sr: the result of an upscaler.

    Raises:
        UserError: the image is too small, or pyiqa or its weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> wildsr.niqe(sr) > 0
        True
    """
    return alone("niqe", sr)


def brisque(sr: AnyImage) -> float:
    """No-reference quality BRISQUE (Mittal et al. 2012), by pyiqa; lower is better.

    Needs the package pyiqa and its weights on disk.

    Args:
        sr: the result of an upscaler.

    Raises:
        UserError: the image is too small, or pyiqa or its weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> isinstance(wildsr.brisque(sr), float)
        True
    """
    return alone("brisque", sr)


def musiq(sr: AnyImage) -> float:
    """No-reference quality MUSIQ (Ke et al. 2021), by pyiqa; higher is better.

    Needs the package pyiqa and its weights on disk.

    Args:
        sr: the result of an upscaler.

    Raises:
        UserError: the image is too small, or pyiqa or its weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> wildsr.musiq(sr) > 0
        True
    """
    return alone("musiq", sr)


def clipiqa(sr: AnyImage) -> float:
    """No-reference quality CLIP-IQA (Wang et al. 2023), by pyiqa; higher is better.

    Needs the package pyiqa and its weights on disk.

    Args:
        sr: the result of an upscaler.

    Raises:
        UserError: the image is too small, or pyiqa or its weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> 0 < wildsr.clipiqa(sr) < 1
        True
    """
    return alone("clipiqa", sr)
