"""Perceptual distances between a result and its ground truth, as functions of arrays and tensors.

All take one image each, (H, W, 3) or (H, W) arrays or (3, H, W) tensors, uint8 or floats in [0, 1],
and round it to 8 bits first, as a file would hold it.
"""

from __future__ import annotations

from wildsr.api.images import AnyImage
from wildsr.api.measuring import with_truth


def lpips(sr: AnyImage, hr: AnyImage) -> float:
    """Perceptual distance LPIPS (Zhang et al. 2018) by AlexNet; 0 for equal images.

    Needs torchvision's AlexNet weights on disk.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.

    Raises:
        UserError: the sizes differ, an image is too small, or the weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> wildsr.lpips(hr, hr)
        0.0
    """
    return with_truth("lpips", sr, hr)


def lpips_vgg(sr: AnyImage, hr: AnyImage) -> float:
    """Perceptual distance LPIPS (Zhang et al. 2018) by VGG16; 0 for equal images.

    Needs torchvision's VGG16 weights on disk.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.

    Raises:
        UserError: the sizes differ, an image is too small, or the weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> wildsr.lpips_vgg(hr, hr)
        0.0
    """
    return with_truth("lpips_vgg", sr, hr)


def lpips_squeeze(sr: AnyImage, hr: AnyImage) -> float:
    """Perceptual distance LPIPS (Zhang et al. 2018) by SqueezeNet; 0 for equal images.

    Needs torchvision's SqueezeNet weights on disk.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.

    Raises:
        UserError: the sizes differ, an image is too small, or the weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> wildsr.lpips_squeeze(hr, hr)
        0.0
    """
    return with_truth("lpips_squeeze", sr, hr)


def st_lpips(sr: AnyImage, hr: AnyImage) -> float:
    """Perceptual distance ST-LPIPS (Ghildyal and Liu 2022) by VGG16; 0 for equal images.

    Not comparable with LPIPS; the weights come with wildsr. At least 32 x 32 pixels.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.

    Raises:
        UserError: the sizes differ, an image is too small, or the weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> round(wildsr.st_lpips(hr // 2, hr), 2)
        0.2
    """
    return with_truth("st_lpips", sr, hr)


def st_lpips_alex(sr: AnyImage, hr: AnyImage) -> float:
    """Perceptual distance ST-LPIPS (Ghildyal and Liu 2022) by AlexNet; 0 for equal images.

    Not comparable with LPIPS; the weights come with wildsr. At least 32 x 32 pixels.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.

    Raises:
        UserError: the sizes differ, an image is too small, or the weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> round(wildsr.st_lpips_alex(hr // 2, hr), 2)
        0.26
    """
    return with_truth("st_lpips_alex", sr, hr)


def dists(sr: AnyImage, hr: AnyImage) -> float:
    """Structure and texture distance DISTS (Ding et al. 2020); 0 for equal images.

    Needs torchvision's VGG16 weights on disk.

    Args:
        sr: the result of an upscaler.
        hr: the ground truth, of the same size.

    Raises:
        UserError: the sizes differ, an image is too small, or the weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> hr = astronaut()[:96, :96]
        >>> round(wildsr.dists(hr, hr), 3)
        0.0
    """
    return with_truth("dists", sr, hr)
