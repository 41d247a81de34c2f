"""Hidden cameras made when the default stood: nothing of it was chosen by looking at them.

But for the last two, which came with what they show: a camera found from luma alone (`colours`),
and one that knows WebP by its files (`webp_file`: the camera of `webp`, whose files are PNGs).
"""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from other_cameras import SCALE, gaussian, in_8_bits, inside, noisy, unsharp
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation.blur import blur_and_sample
from wildsr.degradation.isp import to_linear, to_srgb
from wildsr.degradation.jpeg.codec import libjpeg


def before_webp(hr: Tensor) -> Tensor:
    """Gaussian 1.6 px, noise."""
    return in_8_bits(noisy(blur_and_sample(hr, gaussian(1.6, 1.6, 0), SCALE), 2, 4))


def webp(hr: Tensor) -> Tensor:
    """Gaussian 1.6 px, noise, WebP of quality 60."""
    file = io.BytesIO()
    Image.fromarray(to_bytes(before_webp(hr))).save(file, "WEBP", quality=60)
    return of_bytes(np.asarray(Image.open(file).convert("RGB")))


def nearest(hr: Tensor) -> Tensor:
    """Every fourth pixel without any blur, noise, JPEG 75."""
    return libjpeg(in_8_bits(noisy(hr[..., 1::SCALE, 1::SCALE], 3, 4)), 75)


def lanczos(hr: Tensor) -> Tensor:
    """Lanczos, unsharp mask of amount 1, JPEG 80."""
    size = hr.shape[-1] // SCALE, hr.shape[-2] // SCALE
    small = Image.fromarray(to_bytes(hr)).resize(size, Image.Resampling.LANCZOS)
    return libjpeg(in_8_bits(unsharp(of_bytes(np.asarray(small)), 1.0, 0.8)), 80)


def blotchy(hr: Tensor) -> Tensor:
    """Gaussian 1.8 x 1.4 px, coarse noise in colour and little in brightness, JPEG 90."""
    clean = blur_and_sample(hr, gaussian(1.8, 1.4, 120), SCALE)
    colour = torch.randn_like(clean)
    colour = unsharp(colour - colour.mean(1, keepdim=True), -1, 2.0)
    light = torch.randn_like(clean[:, :1]) * 2 / 255
    return libjpeg(in_8_bits(clean + colour / colour.std() * 7 / 255 + light), 90)


def median(hr: Tensor) -> Tensor:
    """Gaussian 1.6 px, strong noise, a median filter of 3 x 3, JPEG 70."""
    shown = noisy(blur_and_sample(hr, gaussian(1.6, 1.6, 0), SCALE), 5, 8).clamp(0, 1)
    windows = F.unfold(F.pad(shown, [1] * 4, mode="replicate")[0, :, None], 3)
    return libjpeg(in_8_bits(windows.median(1).values.view_as(shown)), 70)


def shake(hr: Tensor) -> Tensor:
    """A line of 8 x 3 HR pixels along 110 degrees, noise, JPEG 75."""
    cos, sin = math.cos(math.radians(110)), math.sin(math.radians(110))
    line = inside(lambda x, y: ((x * cos + y * sin).abs() < 4) & ((y * cos - x * sin).abs() < 1.5))
    return libjpeg(in_8_bits(noisy(blur_and_sample(hr, line, SCALE), 2, 4)), 75)


def lens(hr: Tensor) -> Tensor:
    """Defocus: a disc of radius 4; noise, removed by non-local means."""
    from skimage.restoration import denoise_nl_means

    disc = inside(lambda x, y: x * x + y * y < 16)
    shown = noisy(blur_and_sample(hr, disc, SCALE), 4, 8).clamp(0, 1)[0].permute(1, 2, 0)
    quiet = denoise_nl_means(
        shown.numpy(), patch_size=5, patch_distance=5, h=0.025, sigma=0.02, channel_axis=-1
    )
    return in_8_bits(torch.from_numpy(np.ascontiguousarray(quiet)).permute(2, 0, 1)[None].float())


def three(hr: Tensor) -> Tensor:
    """One of three cameras: sharp and noisy, JPEG 95; soft, no JPEG; ordinary, JPEG 40."""
    drawn = float(torch.rand(()))
    if drawn < 0.2:
        return libjpeg(
            in_8_bits(noisy(blur_and_sample(hr, gaussian(1.2, 1.2, 0), SCALE), 8, 10)), 95
        )
    if drawn < 0.5:
        return in_8_bits(noisy(blur_and_sample(hr, gaussian(3.0, 1.5, 10), SCALE), 2, 3))
    return libjpeg(in_8_bits(noisy(blur_and_sample(hr, gaussian(1.8, 1.8, 0), SCALE), 3, 5)), 40)


def bayer(hr: Tensor) -> Tensor:
    """Gaussian 1.5 px, noise in linear light, a Bayer mosaic filled in bilinearly, JPEG 85."""
    light = to_linear(blur_and_sample(hr, gaussian(1.5, 1.5, 0), SCALE).clamp(0, 1))
    light = noisy(light, 2, 10)
    mosaic = torch.zeros_like(light)
    for channel, rows, columns in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        mosaic[:, channel, rows::2, columns::2] = 1
    weights = torch.tensor([1.0, 2.0, 1.0])
    weights = torch.outer(weights, weights).expand(3, 1, 3, 3)
    sums, counts = (
        F.conv2d(F.pad(x, [1] * 4, mode="reflect"), weights, groups=3)
        for x in (light * mosaic, mosaic)
    )
    return libjpeg(in_8_bits(to_srgb((sums / counts).clamp(0, 1))), 85)


def soft(hr: Tensor) -> Tensor:
    """Gaussian 4 px, little noise."""
    return in_8_bits(noisy(blur_and_sample(hr, gaussian(4.0, 4.0, 0), SCALE), 1, 2))


def forwarded(hr: Tensor) -> Tensor:
    """0.4 of the size, noise, JPEG 50, then a quarter of the first size, JPEG 75."""
    sides = hr.shape[-2:]
    options = {"antialias": True, "align_corners": False}
    first = F.interpolate(hr, [round(n * 0.4) for n in sides], mode="bicubic", **options)
    coded = libjpeg(in_8_bits(noisy(first.clamp(0, 1), 2, 4)), 50)
    small = F.interpolate(coded, [n // SCALE for n in sides], mode="bilinear", **options)
    return libjpeg(in_8_bits(small), 75)


def colours(hr: Tensor) -> Tensor:
    """Gaussian 2.4 x 1.4 px, noise, smoothed colours."""
    from skimage.color import rgb2ycbcr, ycbcr2rgb
    from skimage.filters import gaussian as smooth

    shown = noisy(blur_and_sample(hr, gaussian(2.4, 1.4, 30), SCALE), 3, 6).clamp(0, 1)
    ycc = rgb2ycbcr(shown[0].permute(1, 2, 0).numpy())
    ycc[..., 1:] = smooth(ycc[..., 1:], 2.5, channel_axis=2)
    rgb = torch.from_numpy(ycbcr2rgb(ycc).clip(0, 1)).float()
    return in_8_bits(rgb.permute(2, 0, 1)[None])


def to_bytes(image: Tensor) -> np.ndarray:
    return (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def of_bytes(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


UNSEEN = {
    "webp": ("blur, noise, WebP 60 in a PNG", webp),
    "nearest": ("every fourth pixel, noise, JPEG 75", nearest),
    "lanczos": ("Lanczos, sharpened, JPEG 80", lanczos),
    "blotchy": ("blur, coarse noise in colour, JPEG 90", blotchy),
    "median": ("blur, noise, median filter, JPEG 70", median),
    "shake": ("motion blur, noise, JPEG 75", shake),
    "lens": ("defocus, non-local means", lens),
    "three": ("three cameras", three),
    "bayer": ("a mosaic filled in, noise in linear light, JPEG 85", bayer),
    "soft": ("wide blur, little noise", soft),
    "forwarded": ("0.4, JPEG 50, 0.625, JPEG 75", forwarded),
    "colours": ("blur, noise, smoothed colours", colours),
    "webp_file": ("blur, noise, WebP 60", webp),
}
# What is written into a file of a lossy format: the picture before that, and how it is written.
FILES = {"webp_file": (before_webp, ".webp", {"quality": 60})}
