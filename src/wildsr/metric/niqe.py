"""NIQE with its model fitted on your own sharp photos.

Mittal, Soundararajan and Bovik 2013, "Making a 'completely blind' image quality analyzer". The
published model was fitted on 125 photos; this one is fitted on the sharp photos of an evaluation.
Its values compare the upscalers of one evaluation and are not comparable with published NIQE.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation.resize import resize
from wildsr.metric.kind import LOWER, Set, Setting, TooSmall, at_least
from wildsr.pixels import luma

SIDE = 96  # side of a block in pixels; at the second scale half of it
SHARP = 0.75  # the model is fitted on blocks at least this sharp, relative to the photo's sharpest
TAPS, WIDTH = 7, 7 / 6  # taps and width of the Gaussian window of local means and deviations
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # offsets (rows, columns)
FEATURES = 36  # 2 of the normalised pixels and 4 of each of 4 products, at two scales
LEAST = 2 * FEATURES  # with fewer sharp blocks the covariance is not reliable


def niqe_own(setting: Setting) -> Set:
    """NIQE with its model fitted on the set of sharp photos; see the module's description."""
    return Set(
        title="NIQE, own model",
        better=LOWER,
        decimals=2,
        protocol={
            "model": f"fitted on the sharp photos, blocks of {SHARP} of the sharpest's sharpness",
            "blocks": f"{SIDE}x{SIDE}, two scales, {FEATURES} statistics; of results all blocks",
            "pixels": "luma",
            "smallest side": SIDE,
            "border": 0,
        },
        describe=describe,
        compare=compare,
    )


def describe(image: Tensor) -> Tensor:
    """The NIQE statistics of an image's blocks: (blocks, 37), float64.

    36 statistics (:func:`block_statistics` at two scales), then 1 if the block is sharp enough to
    fit a model on, else 0. Blocks without variation (a clipped sky) have no statistics and are left
    out.

    Args:
        image: (1, C, H, W) in [0, 1].

    Raises:
        TooSmall: a side below 96 pixels.
    """
    at_least(image, SIDE, "NIQE with an own model")
    known = image.shape[1] in (1, 3)
    gray = 255 * (luma(image.double()) if known else image.double().mean(1, keepdim=True))
    height, width = (side // SIDE * SIDE for side in gray.shape[2:])
    gray = gray[..., :height, :width]
    found = []
    for scale in (1, 2):
        small = gray if scale == 1 else resize(gray, (height // 2, width // 2), "bicubic")
        normalised, deviation = normalise(small)
        side = SIDE // scale
        found.append(block_statistics(_blocks(normalised, side)))
        if scale == 1:
            sharpness = _blocks(deviation, side).mean((1, 2))
    sharp = sharpness > SHARP * sharpness.max()
    whole = torch.cat([*found, sharp.to(gray)[:, None]], 1)
    return whole[torch.isfinite(whole).all(1)]


def compare(results: Tensor, sharp: Tensor) -> float:
    r"""Distance between the Gaussians fitted to blocks (N, 37) and (M, 37); eq. 10 of the paper.

    .. math:: \sqrt{(m_1 - m_2)^T ((C_1 + C_2) / 2)^{-1} (m_1 - m_2)}

    Args:
        results: of all results, from :func:`describe`; all blocks count.
        sharp: of all sharp photos; only their sharp blocks count.

    Raises:
        TooSmall: fewer than 72 sharp blocks, or fewer than two of the results.
    """
    model, seen = sharp[sharp[:, -1] > 0, :-1].double(), results[:, :-1].double()
    if len(model) < LEAST or len(seen) < 2:
        raise TooSmall(
            f"NIQE with an own model needs {LEAST} sharp blocks of {SIDE} x {SIDE} pixels and 2 of "
            f"the results, but got {len(model)} and {len(seen)}."
        )
    apart = model.mean(0) - seen.mean(0)
    # The statistics differ by orders of magnitude: standardised before the inverse.
    unit = model.std(0).clamp_min(1e-12)
    covariance = (torch.cov((model / unit).T) + torch.cov((seen / unit).T)) / 2
    apart = apart / unit
    return float((apart @ torch.linalg.pinv(covariance, hermitian=True) @ apart).sqrt())


def normalise(gray: Tensor) -> tuple[Tensor, Tensor]:
    """Subtract the local mean and divide by the local deviation plus 1 (MSCN coefficients).

    Args:
        gray: (1, 1, H, W), 0 to 255.

    Returns:
        The coefficients and the local deviations, both of that shape; the window is a Gaussian of
        7x7 taps and width 7/6, borders are repeated.
    """
    taps = torch.exp(-0.5 * ((torch.arange(TAPS).to(gray) - TAPS // 2) / WIDTH).square())
    taps = taps / taps.sum()

    def mean(image: Tensor) -> Tensor:
        padded = F.pad(image, (TAPS // 2,) * 4, mode="replicate")
        return F.conv2d(F.conv2d(padded, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))

    middle = mean(gray)
    deviation = (mean(gray.square()) - middle.square()).abs().sqrt()
    return (gray - middle) / (deviation + 1), deviation


def block_statistics(blocks: Tensor) -> Tensor:
    """NIQE's statistics of normalised blocks, at one scale: (N, side, side) -> (N, 18).

    Of the coefficients the shape and the mean width of their asymmetric generalised Gaussian; of
    the products with the right, lower and the two diagonal neighbours (wrapping around the block)
    its shape, mean and two widths.
    """
    shape, _, left, right = asymmetric_gaussian(blocks.flatten(1))
    found = [shape, (left + right) / 2]
    for rows, columns in NEIGHBOURS:
        product = blocks * blocks.roll((rows, columns), (1, 2))
        found += asymmetric_gaussian(product.flatten(1))
    return torch.stack(found, 1)


def asymmetric_gaussian(values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Fit an asymmetric generalised Gaussian to each row by its moments (Lasmar et al. 2009).

    Args:
        values: (N, K).

    Returns:
        Shape, mean, left and right width, (N,) each; not finite where a side has no values.
    """
    below, above = values.clamp_max(0).square(), values.clamp_min(0).square()
    left = (below.sum(1) / (values < 0).sum(1)).sqrt()
    right = (above.sum(1) / (values > 0).sum(1)).sqrt()
    ratio = left / right
    moment = values.abs().mean(1).square() / values.square().mean(1)
    wanted = moment * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1).square()
    shapes, moments = (table.to(values) for table in _table())
    above_it = torch.searchsorted(moments, wanted.contiguous()).clamp(1, len(moments) - 1)
    lower_is_nearer = (wanted - moments[above_it - 1]).abs() <= (moments[above_it] - wanted).abs()
    shape = shapes[above_it - lower_is_nearer.long()]
    one, two, three = (torch.lgamma(k / shape) for k in (1, 2, 3))
    width = ((one - three) / 2).exp()
    mean = (right - left) * width * (two - one).exp()
    # If all values have one sign the ratio is undefined.
    shape = torch.where(torch.isfinite(wanted), shape, torch.nan)
    return shape, mean, left * width, right * width


@lru_cache(maxsize=1)
def _table() -> tuple[Tensor, Tensor]:
    """Shapes from 0.2 to 10, and the squared mean over the mean square that each has."""
    shapes = 0.2 + 0.001 * torch.arange(9801, dtype=torch.float64)
    one, two, three = (torch.lgamma(k / shapes) for k in (1, 2, 3))
    return shapes, (2 * two - one - three).exp()


def _blocks(image: Tensor, side: int) -> Tensor:
    """(1, 1, H, W) with whole blocks -> (blocks, side, side)."""
    rows = image[0, 0].unfold(0, side, side).unfold(1, side, side)
    return rows.reshape(-1, side, side)
