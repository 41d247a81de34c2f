"""Hidden cameras that came last: none was looked at before it was run."""

from __future__ import annotations

import numpy as np
import torch
from other_cameras import SCALE, gaussian, in_8_bits, noisy, unsharp
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from unseen_cameras import of_bytes, to_bytes

from wildsr.degradation.bicubic import downscale
from wildsr.degradation.blur import blur_and_sample
from wildsr.degradation.jpeg.codec import libjpeg


def night(hr: Tensor) -> Tensor:
    """Gaussian 1.6 px, very strong noise, JPEG 85."""
    return libjpeg(in_8_bits(noisy(blur_and_sample(hr, gaussian(1.6, 1.6, 0), SCALE), 15, 20)), 85)


def aberration(hr: Tensor) -> Tensor:
    """Red and blue 2 HR pixels apart from green and softer, noise, JPEG 80."""
    widths = (2.2, 1.4, 1.8)
    shifted = [hr[:, :1].roll(2, -1), hr[:, 1:2], hr[:, 2:].roll(-2, -1)]
    planes = [
        blur_and_sample(plane, gaussian(width, width, 0), SCALE)
        for plane, width in zip(shifted, widths, strict=True)
    ]
    return libjpeg(in_8_bits(noisy(torch.cat(planes, 1), 2, 4)), 80)


def salt(hr: Tensor) -> Tensor:
    """Gaussian 1.4 px, one pixel in fifty black or white."""
    clean = blur_and_sample(hr, gaussian(1.4, 1.4, 0), SCALE)
    drawn = torch.rand_like(clean[:, :1])
    return in_8_bits(torch.where(drawn < 0.01, 0.0, torch.where(drawn > 0.99, 1.0, clean)))


def palette(hr: Tensor) -> Tensor:
    """Bicubic, 64 colours by error diffusion, as in a GIF."""
    small = Image.fromarray(to_bytes(downscale(hr, SCALE)))
    return of_bytes(
        np.asarray(small.quantize(64, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))
    )


def rows(hr: Tensor) -> Tensor:
    """Gaussian 1.8 px, noise, and each row of pixels lighter or darker."""
    shown = noisy(blur_and_sample(hr, gaussian(1.8, 1.8, 0), SCALE), 2, 4)
    return in_8_bits(shown + torch.randn_like(shown[:, :1, :, :1]) * 4 / 255)


def enlarged(hr: Tensor) -> Tensor:
    """An eighth of the size, noise, then twice that by bicubic interpolation, JPEG 80."""
    shown = noisy(downscale(hr, 2 * SCALE), 1, 2)
    size = hr.shape[-2] // SCALE, hr.shape[-1] // SCALE
    return libjpeg(in_8_bits(F.interpolate(shown, size, mode="bicubic", align_corners=False)), 80)


def reduced(hr: Tensor) -> Tensor:
    """Gaussian 1.6 px at half the size, noise, JPEG 30, half the size, stored without loss."""
    large = noisy(blur_and_sample(hr, gaussian(1.6, 1.6, 0), SCALE // 2), 3, 5)
    return in_8_bits(downscale(libjpeg(in_8_bits(large), 30), 2))


def crisp(hr: Tensor) -> Tensor:
    """Gaussian 2 px, noise, sharpened with it by an unsharp mask of amount 1.5, JPEG 90."""
    shown = noisy(blur_and_sample(hr, gaussian(2.0, 2.0, 0), SCALE), 2, 4)
    return libjpeg(in_8_bits(unsharp(shown, 1.5, 1.0)), 90)


def speckle(hr: Tensor) -> Tensor:
    """Gaussian 1.6 px, noise in proportion to brightness."""
    clean = blur_and_sample(hr, gaussian(1.6, 1.6, 0), SCALE).clamp(0, 1)
    return in_8_bits(clean * (1 + 0.1 * torch.randn_like(clean)))


STRANGE = {
    "night": ("very strong noise, JPEG 85", night),
    "aberration": ("colours apart, noise, JPEG 80", aberration),
    "salt": ("blur, salt and pepper", salt),
    "palette": ("bicubic, 64 dithered colours", palette),
    "rows": ("blur, noise, uneven rows", rows),
    "enlarged": ("an eighth, enlarged to a quarter, JPEG 80", enlarged),
    "reduced": ("half, noise, JPEG 30, half in a PNG", reduced),
    "crisp": ("noise, sharpened by 1.5, JPEG 90", crisp),
    "speckle": ("blur, speckle", speckle),
}
