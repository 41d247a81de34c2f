"""Metrics of a result without a truth, as functions of arrays and tensors.

All take one image each, (H, W, 3) or (H, W) arrays or (3, H, W) tensors, uint8 or floats in [0, 1],
and round it to 8 bits first, as a file would hold it.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from wildsr.api.images import AnyImage
from wildsr.api.measuring import alone


def lr_consistency(sr: AnyImage, lr: AnyImage) -> float:
    """PSNR of the result, made small again by bicubic, to its LR photo, in dB; higher is better.

    Args:
        sr: the result.
        lr: the photo that it was made from.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

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
    """As :func:`lr_consistency`, made small by a learned degradation.

    Args:
        sr: the result.
        lr: the photo that it was made from.
        degrader: HR to LR: of :func:`wildsr.load_degrader`, or any function of tensors.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> round(wildsr.lr_consistency_learned(sr, lr, wildsr.Pipeline("bicubic", scale=4)), 1)
        23.2
    """
    return alone("lr_consistency_learned", sr, lr, degrader)


def lr_discrepancy(sr: AnyImage, lr: AnyImage, degrader: Callable[[Tensor], Tensor]) -> float:
    """Whether a result leaves as much of its LR photo unexplained as is noise, in dB; 0 is best.

    Args:
        sr: the result.
        lr: the photo that it was made from.
        degrader: HR to LR: of :func:`wildsr.load_degrader`, or any function of tensors.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> wildsr.lr_discrepancy(sr, lr, wildsr.Pipeline("bicubic", scale=4)) >= 0
        True
    """
    return alone("lr_discrepancy", sr, lr, degrader)


def colour_drift(sr: AnyImage, lr: AnyImage) -> float:
    """How far colours moved from the LR photo's, in CIE 1976 differences; 2.3 is just noticeable.

    Args:
        sr: the result.
        lr: the photo that it was made from.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> round(wildsr.colour_drift(sr, lr), 1)
        1.6
    """
    return alone("colour_drift", sr, lr)


def noise_residue(sr: AnyImage) -> float:
    """Deviation of the noise in the flattest regions, in levels of 255; lower is better.

    Args:
        sr: the result.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> round(wildsr.noise_residue(sr), 1)
        1.2
    """
    return alone("noise_residue", sr)


def sharpness(sr: AnyImage) -> float:
    """1 minus the blur effect (Crete et al. 2007); compare with that of sharp photos.

    Args:
        sr: the result.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> round(wildsr.sharpness(sr), 2)
        0.57
    """
    return alone("sharpness", sr)


def ringing(sr: AnyImage, lr: AnyImage) -> float:
    """Halos beside strong edges, in levels of 255; lower is better.

    Args:
        sr: the result.
        lr: the photo that it was made from.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> round(wildsr.ringing(sr, lr), 1)
        0.0
    """
    return alone("ringing", sr, lr)


def blockiness(sr: AnyImage, lr: AnyImage) -> float:
    """What is left of the LR photo's JPEG blocks, in levels of 255; lower is better.

    Args:
        sr: the result.
        lr: the photo that it was made from.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> round(wildsr.blockiness(sr, lr), 1)
        0.1
    """
    return alone("blockiness", sr, lr)


def checkerboard(sr: AnyImage, lr: AnyImage) -> float:
    """The upscaler's own grid, in levels of 255; lower is better.

    Args:
        sr: the result.
        lr: the photo that it was made from.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> lr = sr[::4, ::4]
        >>> round(wildsr.checkerboard(sr, lr), 1)
        0.1
    """
    return alone("checkerboard", sr, lr)


def niqe(sr: AnyImage) -> float:
    """Naturalness NIQE (Mittal et al. 2013) by pyiqa; lower is better. Needs its weights.

    Args:
        sr: the result.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> wildsr.niqe(sr) > 0
        True
    """
    return alone("niqe", sr)


def brisque(sr: AnyImage) -> float:
    """Naturalness BRISQUE (Mittal et al. 2012) by pyiqa; lower is better. Needs its weights.

    Args:
        sr: the result.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> isinstance(wildsr.brisque(sr), float)
        True
    """
    return alone("brisque", sr)


def musiq(sr: AnyImage) -> float:
    """Quality MUSIQ (Ke et al. 2021) by pyiqa; higher is better. Needs its weights.

    Args:
        sr: the result.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> wildsr.musiq(sr) > 0
        True
    """
    return alone("musiq", sr)


def clipiqa(sr: AnyImage) -> float:
    """Quality CLIP-IQA (Wang et al. 2023) by pyiqa; higher is better. Needs its weights.

    Args:
        sr: the result.

    Raises:
        UserError: sizes that do not fit, an image that is too small, weights that are not there.

    Examples:
        >>> from skimage.data import astronaut
        >>> sr = astronaut()[:256, :256]
        >>> 0 < wildsr.clipiqa(sr) < 1
        True
    """
    return alone("clipiqa", sr)
