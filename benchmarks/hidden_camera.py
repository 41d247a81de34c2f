"""The cameras that benchmarks/known_truth.py hides from every method but the oracle."""

from __future__ import annotations

import math

import torch
from coded_cameras import CODED
from other_cameras import CAMERAS
from strange_cameras import STRANGE
from torch import Tensor, nn
from unseen_cameras import UNSEEN

from wildsr.degradation.bicubic import downscale
from wildsr.degradation.blur import blur_and_sample, centred_grid, gaussian_kernel
from wildsr.degradation.jpeg.codec import libjpeg
from wildsr.error import unknown
from wildsr.pixels import to_8_bit

SCENARIOS = {
    "a": "anisotropic blur, sensor noise",
    "b": "blur, noise, JPEG 60",
    "c": "defocus, Poisson-Gauss noise",
    "d": "bicubic, JPEG 30",
    "e": "differs per photo",
    "x2": "blur, noise, JPEG 75 at x2",
    **{name: title for name, (title, _) in CAMERAS.items()},
}
MORE = {
    name: title for name, (title, _) in (UNSEEN | STRANGE | CODED).items()
}  # run where they are named
SCALES = dict.fromkeys([*SCENARIOS, *MORE], 4) | {"x2": 2}
KERNEL = 21  # HR pixels

Range = tuple[float, float]


class HiddenCamera(nn.Module):
    """One scenario: ``lr = jpeg(sample(blur(hr)) + noise)``; every image draws within its ranges.

    Args:
        scenario: one of ``SCENARIOS`` or ``MORE``.
        scale: HR pixels for each LR pixel.
    """

    offsets: Tensor

    def __init__(self, scenario: str, scale: int) -> None:
        super().__init__()
        if scenario not in SCENARIOS | MORE:
            raise unknown("Argument `scenario`", scenario, SCENARIOS | MORE)
        self.scenario, self.scale = scenario, scale
        self.register_buffer("offsets", centred_grid(KERNEL, scale), persistent=False)

    @torch.no_grad()
    def forward(self, hr: Tensor) -> Tensor:
        """(B, 3, sH, sW) in [0, 1] -> 8-bit values (B, 3, H, W) in [0, 1]."""
        others = {
            name: camera for name, (_, camera) in (CAMERAS | UNSEEN | STRANGE | CODED).items()
        }
        own = {"c": self._defocus, "d": self._bicubic, **others}
        make = own.get(self.scenario, self._gaussian)
        return torch.cat([make(image[None]) for image in hr])

    def _gaussian(self, hr: Tensor) -> Tensor:
        """Anisotropic Gaussian blur, noise with a part that grows with brightness, JPEG."""
        one = {
            "a": ((2.4, 2.4), (1.4, 1.4), (30, 30), (4, 4), (8, 8), None),
            "b": ((2.4, 2.4), (1.4, 1.4), (30, 30), (3, 3), (6, 6), (60, 60)),
            "e": ((1.2, 3.0), (0.8, 2.0), (0, 180), (1, 6), (2, 10), (50, 95)),
            "x2": ((1.4, 1.4), (0.8, 0.8), (30, 30), (3, 3), (6, 6), (75, 75)),
        }[self.scenario]
        major, minor, angle, read, shot = (_between(bounds) for bounds in one[:5])
        kernel = self._blur(max(major, minor), min(major, minor), math.radians(angle))
        clean = blur_and_sample(hr, kernel.to(hr), self.scale)
        variance = (read / 255) ** 2 + (shot / 255) ** 2 * clean.clamp(0, 1)
        lr = to_8_bit(clean + torch.randn_like(clean) * variance.sqrt())
        return lr if one[5] is None else libjpeg(lr, round(_between(one[5])))

    def _blur(self, major: float, minor: float, angle: float) -> Tensor:
        cos, sin = math.cos(angle), math.sin(angle)
        xx, yy = (major * cos) ** 2 + (minor * sin) ** 2, (major * sin) ** 2 + (minor * cos) ** 2
        a, shear = math.sqrt(xx), (major**2 - minor**2) * sin * cos / math.sqrt(xx)
        factors = (a, shear, math.sqrt(yy - shear**2))
        return gaussian_kernel(*map(torch.tensor, factors), self.offsets)[None]

    def _defocus(self, hr: Tensor) -> Tensor:
        """A disc of radius 3 HR pixels, its edge one pixel soft; photons, then read noise."""
        radius, full_well, read = 3.0, 1000.0, 3.0  # HR pixels, electrons at white, 1/255
        disc = (radius + 0.5 - self.offsets.square().sum(0).sqrt()).clamp(0, 1)
        clean = blur_and_sample(hr, (disc / disc.sum())[None].to(hr), self.scale).clamp(0, 1)
        photons = torch.poisson(clean * full_well) / full_well
        return to_8_bit(photons + torch.randn_like(clean) * read / 255)

    def _bicubic(self, hr: Tensor) -> Tensor:
        return libjpeg(to_8_bit(downscale(hr, self.scale)).clamp(0, 1), 30)


def _between(bounds: Range) -> float:
    low, high = bounds
    return low if low == high else low + (high - low) * float(torch.rand(()))
