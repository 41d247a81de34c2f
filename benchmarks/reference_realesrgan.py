"""Real-ESRGAN's degradation as its reference computes it: what `benchmarks/degradation.py` times.

Written from the paper's and the options' facts, in the manner of the reference: dense grouped
convolutions for every kernel (51x51 for the sharpening, twice), one scale of the resizing for the
whole batch, one kind of noise for the whole batch, Poisson noise by counting distinct values for
each sample, an 8x8 transform of blocks for JPEG. Not part of the package.
"""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation import kernel as kernels
from wildsr.degradation.jpeg.jpeg import jpeg  # quicker than the reference's: in its favour

KINDS = ("area", "bilinear", "bicubic")


def dense_blur(image: Tensor, kernel: Tensor) -> Tensor:
    """Each sample with its own kernel, (B, k, k), by one grouped convolution.

    One kernel for all, (1, k, k), goes over all channels as so many gray pictures.
    """
    count, channels, height, width = image.shape
    radius = kernel.shape[-1] // 2
    padded = F.pad(image, (radius,) * 4, mode="reflect")
    if len(kernel) == 1:
        gray = padded.reshape(count * channels, 1, *padded.shape[2:])
        return F.conv2d(gray, kernel[:, None]).reshape(image.shape)
    groups = count * channels
    flat = padded.reshape(1, groups, *padded.shape[2:])
    weight = kernel[:, None].repeat(1, channels, 1, 1).reshape(groups, 1, *kernel.shape[-2:])
    return F.conv2d(flat, weight, groups=groups).reshape(count, channels, height, width)


def sharpened(image: Tensor, weight: float = 0.5, threshold: float = 10.0) -> Tensor:
    """Unsharp masking by dense 51x51 convolutions."""
    size = 51
    sigma = torch.tensor([0.3 * ((size - 1) * 0.5 - 1) + 0.8])
    kernel = kernels.isotropic(sigma, size).to(image)
    residual = image - dense_blur(image, kernel)
    mask = (residual.abs() * 255 > threshold).float()
    soft = dense_blur(mask, kernel)
    return soft * (image + weight * residual).clamp(0, 1) + (1 - soft) * image


def random_kernels(count: int, sigma: tuple[float, float], sinc: float) -> Tensor:
    made = []
    for _ in range(count):
        size = random.choice(range(7, 22, 2))
        if random.random() < sinc:
            cutoff = random.uniform(math.pi / (3 if size < 13 else 5), math.pi)
            kernel = kernels.sinc(torch.tensor([cutoff]), size)
        else:
            x, y = (torch.tensor([random.uniform(*sigma)]) for _ in range(2))
            angle = torch.tensor([random.uniform(-math.pi, math.pi)])
            kernel = kernels.anisotropic(x, y, angle, size)
        made.append(F.pad(kernel[0], ((21 - size) // 2,) * 4))
    return torch.stack(made)


def resized(image: Tensor, height: int, width: int) -> Tensor:
    kind = random.choice(KINDS)
    corners = {} if kind == "area" else {"align_corners": False}
    return F.interpolate(image, size=(height, width), mode=kind, **corners)


def noisy(image: Tensor, sigma: tuple[float, float], scale: tuple[float, float]) -> Tensor:
    count = len(image)
    gray = (torch.rand(count, 1, 1, 1) < 0.4).to(image)
    if random.random() < 0.5:
        level = torch.empty(count, 1, 1, 1).uniform_(*sigma).to(image) / 255
        colour, single = torch.randn_like(image), torch.randn_like(image[:, :1])
        return (image + level * (single * gray + colour * (1 - gray))).clamp(0, 1)

    def poisson(picture: Tensor) -> Tensor:
        picture = (picture * 255).round().clamp(0, 255) / 255
        values = [2 ** math.ceil(math.log2(len(torch.unique(one)))) for one in picture]
        levels = torch.tensor(values).to(picture).view(-1, 1, 1, 1)
        return torch.poisson(picture * levels) / levels - picture

    colour = poisson(image)
    if gray.sum():
        luma = (image * torch.tensor([0.299, 0.587, 0.114]).to(image).view(1, 3, 1, 1)).sum(
            1, keepdim=True
        )
        colour = poisson(luma) * gray + colour * (1 - gray)
    level = torch.empty(count, 1, 1, 1).uniform_(*scale).to(image)
    return (image + level * colour).clamp(0, 1)


def compressed(image: Tensor) -> Tensor:
    return jpeg(image.clamp(0, 1), torch.empty(len(image)).uniform_(30, 95).to(image.device))


def reference(hr: Tensor, scale: int = 4) -> Tensor:
    """LR of a batch (B, 3, H, W), as the reference's `feed_data` makes it."""
    count, _, height, width = hr.shape
    out = dense_blur(sharpened(hr), random_kernels(count, (0.2, 3), 0.1).to(hr))
    way = random.choices(["up", "down", "keep"], [0.2, 0.7, 0.1])[0]
    factor = {"up": random.uniform(1, 1.5), "down": random.uniform(0.15, 1), "keep": 1}[way]
    out = resized(out, max(int(height * factor), 1), max(int(width * factor), 1))
    out = compressed(noisy(out, (1, 30), (0.05, 3)))
    if random.random() < 0.8:
        out = dense_blur(out, random_kernels(count, (0.2, 1.5), 0.1).to(hr))
    way = random.choices(["up", "down", "keep"], [0.3, 0.4, 0.3])[0]
    factor = {"up": random.uniform(1, 1.2), "down": random.uniform(0.3, 1), "keep": 1}[way]
    out = resized(out, int(height / scale * factor), int(width / scale * factor))
    out = noisy(out, (1, 25), (0.05, 2.5))
    small = (height // scale, width // scale)
    last = random_kernels(count, (0.2, 1.5), 0.8).to(hr)
    if random.random() < 0.5:
        out = compressed(dense_blur(resized(out, *small), last))
    else:
        out = dense_blur(resized(compressed(out), *small), last)
    return (out.clamp(0, 1) * 255).round() / 255
