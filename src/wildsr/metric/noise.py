"""Noise left in a result's flattest regions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wildsr.metric.kind import LOWER, Setting, Single, at_least
from wildsr.pixels import luma

BLOCK = 16  # pixels
SHARE = 0.1  # quantile over the blocks: the noise is measured in the flattest tenth
CLIPPED, SOME = 2 / 255, 0.05  # clipped: this close to black or white; share allowed in a block


def residue(image: Tensor) -> Tensor:
    r"""Standard deviation of the noise in the flattest regions, in 1/255, (B,).

    .. math:: \sigma_b^2 = \frac{1}{36} mean_b (N * y)^2, \quad
        N = (1, -2, 1)^T (1, -2, 1)

    of the luma y in blocks of 16 x 16 pixels; the result is the 0.1 quantile over the blocks. The
    filter N does not respond to planes and to straight edges along the axes, and amplifies white
    noise by 6 (Immerkaer 1996, "Fast noise variance estimation", eq. 1-3, who averages over the
    whole image and so counts texture as noise). Blocks with more than 5 % of clipped pixels (within
    2/255 of black or white) are left out; if none is left, the result is 0. Coarse noise, such as
    upscaled photographic noise, counts less than white noise.

    Args:
        image: (B, 3, H, W), [0, 1]; sides of 18 pixels at least.
    """
    gray = luma(image.double())
    mask = gray.new_tensor([1, -2, 1])
    mask = torch.outer(mask, mask)[None, None]
    power = F.avg_pool2d(F.conv2d(gray, mask).square() / 36, BLOCK).flatten(1)
    clipped = (gray <= CLIPPED) | (gray >= 1 - CLIPPED)
    seen = F.avg_pool2d(clipped[..., 1:-1, 1:-1].double(), BLOCK).flatten(1) <= SOME
    found = [
        p[s].quantile(SHARE) if s.any() else p.new_zeros(())
        for p, s in zip(power, seen, strict=True)
    ]
    return 255 * torch.stack(found).sqrt()


def noise_residue(setting: Setting) -> Single:
    """Noise left in the flattest tenth of a result, in 1/255; see :func:`residue`."""

    def measure(sr: Tensor, lr: Tensor) -> float:
        at_least(sr, BLOCK + 2, "The noise residue")
        return residue(sr).item()

    return Single(
        title="noise residue",
        better=LOWER,
        unit="levels",
        decimals=2,
        protocol={
            "blocks": f"{BLOCK}x{BLOCK} pixels, quantile {SHARE}, not black or white",
            "mask": "Immerkaer 1996",
            "pixels": "luma, 0 to 255",
            "border": 0,
        },
        measure=measure,
    )
