"""Metrics between a set of results and a set of sharp images, which need not be related.

Both are sequences of (H, W, 3) or (H, W) arrays or (3, H, W) tensors, uint8 or floats in [0, 1], of
any sizes; images too small for a metric are left out. The values fall as the sets grow: compare
only values of sets of the same size.
"""

from __future__ import annotations

from collections.abc import Sequence

from wildsr.api.images import AnyImage
from wildsr.api.measuring import of_sets


def fid(results: Sequence[AnyImage], sharp: Sequence[AnyImage]) -> float:
    """Frechet inception distance (Heusel et al. 2017) of patches; lower is better.

    Needs torch-fidelity and its Inception weights.

    Args:
        results: results of an upscaler.
        sharp: sharp images, which need not show the same scenes.

    Raises:
        UserError: a set has no image that is large enough, or weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> sharp = [astronaut()[:256, :256]]
        >>> round(abs(wildsr.fid(sharp, sharp)), 3)
        0.0
    """
    return of_sets("fid", results, sharp)


def kid(results: Sequence[AnyImage], sharp: Sequence[AnyImage]) -> float:
    """Kernel inception distance (Binkowski et al. 2018) of patches; lower is better.

    Needs torch-fidelity and its Inception weights.

    Args:
        results: results of an upscaler.
        sharp: sharp images, which need not show the same scenes.

    Raises:
        UserError: a set has no image that is large enough, or weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> sharp = [astronaut()[:256, :256]]
        >>> round(abs(wildsr.kid(sharp, sharp)), 3)
        0.0
    """
    return of_sets("kid", results, sharp)


def swd(results: Sequence[AnyImage], sharp: Sequence[AnyImage]) -> float:
    """Sliced Wasserstein distance of Laplacian patches (Karras et al. 2018); lower is better.

    In thousandths of the sharp patches' deviation; 0 for equal sets.

    Args:
        results: results of an upscaler.
        sharp: sharp images, which need not show the same scenes.

    Raises:
        UserError: a set has no image that is large enough, or weights are missing.

    Examples:
        >>> from skimage.data import astronaut
        >>> sharp = [astronaut()[:256, :256]]
        >>> round(abs(wildsr.swd(sharp, sharp)), 3)
        0.0
    """
    return of_sets("swd", results, sharp)


def niqe_own(results: Sequence[AnyImage], sharp: Sequence[AnyImage]) -> float:
    """NIQE (Mittal et al. 2013) with its model fitted on ``sharp``; lower is better.

    The values are not comparable with those of the published model. Nothing is downloaded.
    ``sharp`` must hold at least 72 sharp blocks of 96 x 96 pixels: some twenty photos; a few
    hundred are better.

    Args:
        results: results of an upscaler.
        sharp: sharp images, on which the model is fitted.

    Raises:
        UserError: a set without an image that is large enough, or too few sharp blocks.

    Examples:
        >>> from skimage.data import astronaut, chelsea
        >>> try:
        ...     wildsr.niqe_own([chelsea()], [astronaut()])
        ... except wildsr.UserError as error:
        ...     print(str(error)[:62])
        NIQE with an own model needs 72 sharp blocks of 96 x 96 pixels
    """
    return of_sets("niqe_own", results, sharp)
