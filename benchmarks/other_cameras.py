"""Hidden cameras that no single Gaussian camera can express, for benchmarks/known_truth.py."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation.bicubic import downscale
from wildsr.degradation.blur import blur_and_sample, centred_grid, gaussian_kernel
from wildsr.degradation.isp import to_linear, to_srgb
from wildsr.degradation.jpeg.codec import libjpeg
from wildsr.pixels import to_8_bit

SCALE = 4
GRID = centred_grid(25, SCALE)
SUB = (torch.arange(8) + 0.5) / 8 - 0.5  # of a pixel: kernels with edges are averaged over it


def in_8_bits(image: Tensor) -> Tensor:
    return to_8_bit(image).clamp(0, 1)


def inside(shape) -> Tensor:
    """(1, k, k) of the pixels' share within a shape, summing to 1."""
    kernel = sum(shape(GRID[0] + x, GRID[1] + y).float() for y in SUB for x in SUB)
    return (kernel / kernel.sum())[None]


def gaussian(major: float, minor: float, degrees: float) -> Tensor:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    xx, yy = (major * cos) ** 2 + (minor * sin) ** 2, (major * sin) ** 2 + (minor * cos) ** 2
    a, shear = math.sqrt(xx), (major**2 - minor**2) * sin * cos / math.sqrt(xx)
    factors = (a, shear, math.sqrt(yy - shear**2))
    return gaussian_kernel(*map(torch.tensor, factors), GRID)[None]


def noisy(image: Tensor, read: float, shot: float) -> Tensor:
    variance = (read / 255) ** 2 + (shot / 255) ** 2 * image.clamp(0, 1)
    return image + torch.randn_like(image) * variance.sqrt()


def unsharp(image: Tensor, amount: float, sigma: float) -> Tensor:
    taps = torch.softmax(-0.5 * (torch.arange(-4, 5) / sigma) ** 2, 0)
    rows = F.pad(image.flatten(0, 1)[:, None], [4] * 4, mode="reflect")
    soft = F.conv2d(F.conv2d(rows, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    return image + amount * (image - soft.view_as(image))


def bilateral(image: Tensor, levels: float, sigma: float = 1.2, reach: int = 2) -> Tensor:
    padded, (height, width) = F.pad(image, [reach] * 4, mode="reflect"), image.shape[-2:]
    total, weights = torch.zeros_like(image), torch.zeros_like(image[:, :1])
    for y in range(2 * reach + 1):
        for x in range(2 * reach + 1):
            other = padded[..., y : y + height, x : x + width]
            far = ((y - reach) ** 2 + (x - reach) ** 2) / (2 * sigma**2)
            unlike = (other - image).square().mean(1, keepdim=True) / (2 * levels**2)
            weight = torch.exp(-unlike - far)
            total, weights = total + weight * other, weights + weight
    return total / weights


def motion(hr: Tensor) -> Tensor:
    """A line of 10 x 1.5 HR pixels along 25 degrees, then noise."""
    cos, sin = math.cos(math.radians(25)), math.sin(math.radians(25))
    line = inside(lambda x, y: ((x * cos + y * sin).abs() < 5) & ((y * cos - x * sin).abs() < 0.75))
    return in_8_bits(noisy(blur_and_sample(hr, line, SCALE), 3, 5))


def phone(hr: Tensor) -> Tensor:
    """Blur, noise in linear light, bilateral denoising, unsharp mask, JPEG 85."""
    linear = to_linear(blur_and_sample(hr, gaussian(1.8, 1.8, 0), SCALE).clamp(0, 1))
    shown = to_srgb(noisy(linear, 2, 12).clamp(0, 1))
    return libjpeg(in_8_bits(unsharp(bilateral(shown, 0.08), 0.7, 1.0)), 85)


def messenger(hr: Tensor) -> Tensor:
    """Half the size, JPEG 55, half the size, JPEG 80."""
    first = libjpeg(in_8_bits(downscale(hr, 2)), 55)
    return libjpeg(in_8_bits(downscale(first, 2)), 80)


def cropped(hr: Tensor) -> Tensor:
    """A box of 6 HR pixels, correlated noise, JPEG 70, cropped off its grid."""
    box = inside(lambda x, y: (x.abs() < 3) & (y.abs() < 3))
    clean = blur_and_sample(hr, box, SCALE)
    grain = unsharp(torch.randn_like(clean), -1, 0.7)
    variance = (3 / 255) ** 2 + (6 / 255) ** 2 * clean.clamp(0, 1)
    taken = in_8_bits(clean + grain / grain.std() * variance.sqrt())
    y, x = torch.randint(0, 8, (2,)).tolist()
    coded = libjpeg(F.pad(taken, [x, 16, y, 16], mode="replicate"), 70)
    return coded[..., y : y + taken.shape[-2], x : x + taken.shape[-1]]


def two(hr: Tensor) -> Tensor:
    """One of two cameras: sharp, clean, JPEG 90; or soft, noisy, JPEG 50."""
    if torch.rand(()) < 0.5:
        shown = noisy(blur_and_sample(hr, gaussian(1.4, 1.4, 0), SCALE), 1.5, 2)
        return libjpeg(in_8_bits(shown), 90)
    shown = noisy(blur_and_sample(hr, gaussian(2.8, 2.0, 60), SCALE), 6, 10)
    return libjpeg(in_8_bits(shown), 50)


def clean(hr: Tensor) -> Tensor:
    """Antialiased bicubic and nothing else."""
    return in_8_bits(downscale(hr, SCALE))


def mixed(hr: Tensor) -> Tensor:
    """Antialiased bicubic; half of the photos are coded by JPEG 60, half by nothing."""
    lr = in_8_bits(downscale(hr, SCALE))
    return libjpeg(lr, 60) if torch.rand(()) < 0.5 else lr


CAMERAS = {
    "motion": ("motion blur, noise", motion),
    "phone": ("linear noise, denoised, sharpened, JPEG 85", phone),
    "messenger": ("half, JPEG 55, half, JPEG 80", messenger),
    "cropped": ("box blur, coarse noise, JPEG 70 off its grid", cropped),
    "two": ("two cameras, half and half", two),
    "clean": ("bicubic", clean),
    "mixed": ("bicubic, half of them JPEG 60", mixed),
}
