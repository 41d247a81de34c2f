"""Pipeline steps that blur and sharpen."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation import kernel as kernels
from wildsr.degradation.blur import blur
from wildsr.degradation.pipeline.canvas import Canvas
from wildsr.degradation.pipeline.pipeline import Step, frequencies, pick
from wildsr.degradation.pipeline.ranges import (
    Range,
    kernel_sizes,
    ordered,
    positive,
    share,
    uniform,
)
from wildsr.degradation.sharpen import usm


class Blur(Step):
    """Blurs each sample with a kernel of random shape, size, width and direction.

    Args:
        kinds: name -> frequency; of isotropic, anisotropic, generalized, generalized_anisotropic,
            plateau, plateau_anisotropic.
        sigma: range of the standard deviation along each axis, in pixels.
        power: widths are uniform in ``sigma ** power``; BSRGAN draws variances, power 2.
        beta_generalized: range of the generalised Gaussian's shape; values below and above 1 are
            equally frequent.
        beta_plateau: the same for the plateau kernel.
        sinc: probability of a sinc filter instead (Real-ESRGAN, eq. 6): cutoff from pi / 3 to pi,
            and from pi / 5 for kernels of 13 pixels and more.
        sizes: smallest and largest side of the kernel, odd.
        probability: that a sample is blurred.

    Raises:
        UserError: an unknown kind; a range, size or probability that cannot be.
    """

    def __init__(
        self,
        kinds: Mapping[str, float],
        sigma: Range,
        power: float = 1.0,
        beta_generalized: Range = (0.5, 4.0),
        beta_plateau: Range = (1.0, 2.0),
        sinc: float = 0.0,
        sizes: Sequence[int] = (7, 21),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.kinds = frequencies("kinds", kinds, SHAPES)
        self.ranges = ordered(
            above=0, sigma=sigma, beta_generalized=beta_generalized, beta_plateau=beta_plateau
        )
        self.power, self.sinc = positive("power", power), share("sinc", sinc)
        self.sizes = kernel_sizes(sizes)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a kernel for each sample and blur with it."""
        made, noted = zip(*(self.kernel(draw) for draw in canvas.draws), strict=True)
        return blurred(canvas, made, noted)

    def kernel(self, draw: np.random.Generator) -> tuple[Tensor, str]:
        """Draw a random kernel (k, k), and its description."""
        size = int(draw.integers(self.sizes[0] // 2, self.sizes[1] // 2 + 1)) * 2 + 1
        if draw.random() < self.sinc:
            lowest = math.pi / (3 if size < 13 else 5)
            return sinc_kernel(uniform(draw, (lowest, math.pi)), size)
        kind = pick(draw, self.kinds)
        first, second = (
            float(draw.uniform(*(bound**self.power for bound in self.ranges["sigma"])))
            ** (1 / self.power)
            for _ in range(2)
        )
        angle = uniform(draw, (0, math.pi))
        if not kind.endswith("anisotropic"):
            second, angle = first, 0.0
        beta = 1.0
        for family in ("generalized", "plateau"):
            if kind.startswith(family):
                low, high = self.ranges[f"beta_{family}"]
                below = draw.random() < 0.5 and low < 1
                beta = uniform(draw, (low, 1) if below else (max(low, 1), high))
        x, y, theta, shape = (torch.tensor([value]) for value in (first, second, angle, beta))
        made = SHAPES[kind](x, y, theta, shape, size)
        said = f"{kind} {first:.2f}x{second:.2f}px at {math.degrees(angle):.0f} degrees"
        return made[0], f"{said}, beta {beta:.2f}" if beta != 1 else said


Shape = Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor]
SHAPES: dict[str, Shape] = {
    "isotropic": lambda x, y, angle, beta, size: kernels.isotropic(x, size),
    "anisotropic": lambda x, y, angle, beta, size: kernels.anisotropic(x, y, angle, size),
    "generalized": kernels.generalized,
    "generalized_anisotropic": kernels.generalized,
    "plateau": kernels.plateau,
    "plateau_anisotropic": kernels.plateau,
}


class Sinc(Step):
    """Filters by a random sinc kernel, which simulates ringing of resizing and JPEG (Real-ESRGAN).

    Args:
        cutoff: range, in radians per pixel.
        sizes: smallest and largest side of the kernel, odd.
        probability: that a sample is filtered.

    Raises:
        UserError: a range or probability that cannot be.
    """

    def __init__(
        self,
        cutoff: Range = (math.pi / 3, math.pi),
        sizes: Sequence[int] = (7, 21),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.cutoff, self.sizes = ordered(above=0, cutoff=cutoff)["cutoff"], kernel_sizes(sizes)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a cutoff for each sample and filter."""
        drawn = []
        for draw in canvas.draws:
            size = int(draw.integers(self.sizes[0] // 2, self.sizes[1] // 2 + 1)) * 2 + 1
            drawn.append(sinc_kernel(uniform(draw, self.cutoff), size))
        made, noted = zip(*drawn, strict=True)
        return blurred(canvas, made, noted)


def sinc_kernel(cutoff: float, size: int) -> tuple[Tensor, str]:
    """Make a sinc kernel (size, size), and its description."""
    return kernels.sinc(torch.tensor([cutoff]), size)[0], f"sinc, cutoff {cutoff:.2f}"


def blurred(canvas: Canvas, made: Sequence[Tensor], noted: Sequence[str]) -> Canvas:
    """Blur every sample with its own kernel (k, k), and record the descriptions ``noted``."""
    size = max(kernel.shape[-1] for kernel in made)
    whole = torch.stack([F.pad(k, ((size - k.shape[-1]) // 2,) * 4) for k in made])
    canvas.image = blur(canvas.image, whole.to(canvas.image))
    canvas.note("blur", kernel=noted, taps=[kernel.shape[-1] for kernel in made])
    return canvas


class Sharpen(Step):
    """Sharpens images by unsharp masking before they are degraded (Real-ESRGAN).

    Args:
        weight: of the detail that is added.
        radius: of the Gaussian, in pixels; the kernel has 2 (radius // 2) + 1 taps.
        threshold: in 1/255; smaller differences are not sharpened.
        probability: that a sample is sharpened.
    """

    def __init__(
        self,
        weight: float = 0.5,
        radius: int = 50,
        threshold: float = 10.0,
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.weight, self.radius, self.threshold = weight, radius, threshold

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Sharpen all samples in the same way."""
        canvas.image = usm(canvas.image, self.weight, self.radius, self.threshold)
        canvas.note("sharpen", weight=[self.weight] * len(canvas))
        return canvas
