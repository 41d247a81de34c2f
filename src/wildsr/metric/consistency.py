"""Metrics between a result and its LR photo, without ground truth or learned weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_lab
from torch import Tensor

from wildsr.degradation.bicubic import downscale
from wildsr.error import UserError
from wildsr.loss.consistency import discrepancy
from wildsr.metric.kind import HIGHER, LOWER, Needs, Setting, Single
from wildsr.pixels import as_rgb

DRAWS, SEED = 8, 0  # number and seed of the random degradations of one image
NEEDS = Needs(
    "a degradation",
    "The LR consistency by a learned degradation needs one: a run of a method that learns it.",
)
REGION = 8  # LR pixels: side of the regions whose mean colours are compared


def scale_of(sr: Tensor, lr: Tensor) -> int:
    """The scale between a result (B, C, sH, sW) and its LR photo (B, C, H, W).

    Raises:
        UserError: it is not an integer, or differs between height and width.
    """
    scale = sr.shape[-1] // lr.shape[-1]
    if scale < 1 or sr.shape[-2:] != (scale * lr.shape[-2], scale * lr.shape[-1]):
        raise UserError(
            "Argument `sr` must be a whole number of times as large as `lr`, "
            f"but got {tuple(sr.shape[-2:])} and {tuple(lr.shape[-2:])}."
        )
    return scale


def consistency(again: Tensor, lr: Tensor) -> Tensor:
    """PSNR between a downscaled result and its LR photo, (B, C, H, W) both, in dB, (B,).

    ``10 log10(1 / mean (again - lr)^2)``, of values in [0, 1].
    """
    return -10 * torch.log10((again.double() - lr.double()).square().mean(dim=(1, 2, 3)))


def lr_consistency(setting: Setting) -> Single:
    r"""PSNR between the result, downscaled by antialiased bicubic, and its LR photo, in dB.

    .. math:: 10 \log_{10}(1 / mean (B(sr) - lr)^2)

    Invented detail that contradicts the LR photo lowers it, and so do colour changes and shifts.
    The photo's own noise limits it: a result from which noise of sigma 5/255 was removed cannot
    exceed 34.2 dB. (Lugmayr et al. 2021, NTIRE challenge on learning the SR space, "LR-PSNR".)
    """
    return Single(
        every=True,
        title="LR consistency",
        better=HIGHER,
        unit="dB",
        decimals=2,
        protocol={"degradation": "antialiased bicubic, a = -0.5", "pixels": "RGB", "border": 0},
        measure=lambda sr, lr: consistency(downscale(sr, scale_of(sr, lr)), lr).item(),
    )


def lr_consistency_learned(setting: Setting) -> Single:
    """As :func:`lr_consistency`, with the run's learned degradation in place of bicubic.

    If the degradation is random, the mean of 8 draws with a fixed seed is compared, so that its
    noise does not count as an error.
    """
    degrader = setting.degrader

    def measure(sr: Tensor, lr: Tensor) -> float:
        assert degrader is not None
        return consistency(_draws(degrader, sr, lr).mean(dim=0), lr).item()

    return Single(
        every=True,
        title="LR consistency, learned",
        better=HIGHER,
        unit="dB",
        decimals=2,
        protocol={
            "degradation": f"the run's own, mean of {DRAWS} draws, seed {SEED}",
            "pixels": "RGB",
            "border": 0,
        },
        needs=NEEDS if degrader is None else None,
        measure=measure,
    )


def lr_discrepancy(setting: Setting) -> Single:
    """How far the LR residual is from the noise level, in dB.

    See :func:`wildsr.loss.consistency.discrepancy`.

    By the discrepancy principle (Morozov 1966): a smaller residual means that the result has kept
    the photo's noise, a larger one that it shows something else. The other LR consistencies notice
    only the latter. The ground truth has 0 under the true degradation; a learned degradation with
    too much or too little noise shifts the values of all results alike.
    """
    degrader = setting.degrader

    def measure(sr: Tensor, lr: Tensor) -> float:
        assert degrader is not None
        return discrepancy(_draws(degrader, sr, lr).double(), lr.double()).item()

    return Single(
        every=True,
        title="LR discrepancy",
        better=LOWER,
        unit="dB",
        decimals=2,
        protocol={
            "degradation": f"the run's own, {DRAWS} draws, seed {SEED}",
            "pixels": "RGB",
            "border": 0,
        },
        needs=NEEDS if degrader is None else None,
        measure=measure,
    )


def _draws(degrader: Callable[[Tensor], Tensor], sr: Tensor, lr: Tensor) -> Tensor:
    """The result made small again, (8, 1, 3, H, W), always with the same random numbers.

    Raises:
        UserError: the degradation is of another scale.
    """
    scale_of(sr, lr)
    devices = [sr.device] if sr.device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.no_grad():
        torch.manual_seed(SEED)
        draws = torch.stack([degrader(sr) for _ in range(DRAWS)])
    if draws.shape[1:] != lr.shape:
        raise UserError(
            f"The learned degradation makes {tuple(draws.shape[1:])} of {tuple(sr.shape)}, but "
            f"the LR photo is {tuple(lr.shape)}."
        )
    return draws


def drift(sr: Tensor, lr: Tensor) -> Tensor:
    r"""Mean colour difference over regions of 8 x 8 LR pixels, (B,).

    .. math:: mean_r \| Lab(\bar{sr}_r) - Lab(\bar{lr}_r) \|_2

    the CIE 1976 difference (D65) of the regions' mean colours; about 2.3 is just noticeable.
    Averaging over regions makes it insensitive to sharpness, noise and shifted edges.

    Args:
        sr: (B, C, sH, sW), [0, 1].
        lr: (B, C, H, W), [0, 1].

    Raises:
        UserError: sizes that do not fit together.
    """
    scale = scale_of(sr, lr)
    sr, lr = as_rgb(sr), as_rgb(lr)
    a, b = (
        rgb_to_lab(F.avg_pool2d(image, side, ceil_mode=True).double())  # differences are small
        for image, side in ((_at_least(sr, scale), REGION * scale), (_at_least(lr, 1), REGION))
    )
    return (a - b).square().sum(dim=1).sqrt().mean(dim=(1, 2))


def colour_drift(setting: Setting) -> Single:
    """Mean colour difference from the LR photo; see :func:`drift`."""
    return Single(
        title="colour drift",
        better=LOWER,
        unit="dE76",
        decimals=2,
        protocol={"regions": f"{REGION}x{REGION} LR pixels", "colour": "CIE Lab, D65", "border": 0},
        measure=lambda sr, lr: drift(sr, lr).item(),
    )


def _at_least(image: Tensor, scale: int) -> Tensor:
    """Repeated at the border up to the size of one region."""
    side = REGION * scale
    extra = [max(side - image.shape[-1], 0), max(side - image.shape[-2], 0)]
    return F.pad(image, (0, extra[0], 0, extra[1]), mode="replicate")
