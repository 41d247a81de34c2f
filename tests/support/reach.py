"""Networks whose reach is known: by their kernels, their strides, or none at all."""

import torch
import torch.nn.functional as F
from torch import nn


def convolutions(*sizes, scale=2, features=4):
    """Zero-padded convolutions of these kernel sizes, then a pixel shuffle."""
    torch.manual_seed(0)
    widths = [3, *[features] * (len(sizes) - 1), 3 * scale**2]
    layers = [
        nn.Conv2d(a, b, size, padding=size // 2)
        for a, b, size in zip(widths, widths[1:], sizes, strict=False)
    ]
    return nn.Sequential(*layers, nn.LeakyReLU(0.1), nn.PixelShuffle(scale))


def dilated(count):
    """Convolutions that reach 16 pixels each."""
    return nn.Sequential(*[nn.Conv2d(3, 3, 3, padding=16, dilation=16) for _ in range(count)])


class Strided(nn.Module):
    """Computes at half the resolution, as unshuffling upscalers do: what it sees has a phase."""

    def __init__(self):
        super().__init__()
        self.body = convolutions(3, 3, scale=4)

    def forward(self, lr):
        height, width = lr.shape[2:]
        even = F.pad(lr, (0, width % 2, 0, height % 2), mode="replicate")
        return self.body(F.avg_pool2d(even, 2))[..., : 2 * height, : 2 * width]


class Attentive(nn.Module):
    """Scales by the image's mean: reaches everywhere."""

    def __init__(self):
        super().__init__()
        self.body = convolutions(3)

    def forward(self, lr):
        return self.body(lr * lr.mean(dim=(2, 3), keepdim=True))


class Limited(nn.Module):
    """Nearest-neighbour x2 for which memory runs out above some number of pixels."""

    def __init__(self, most, error=None):
        super().__init__()
        self.most, self.error, self.sizes = most, error, []

    def forward(self, lr):
        self.sizes.append(tuple(lr.shape[2:]))
        if lr.shape[2] * lr.shape[3] > self.most:
            raise self.error or torch.OutOfMemoryError("CUDA out of memory.")
        return F.interpolate(lr, scale_factor=2)
