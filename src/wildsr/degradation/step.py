"""The steps of pipelines: what is drawn for each sample, and from which ranges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation import kernel as kernels
from wildsr.degradation import optics
from wildsr.degradation.blur import blur
from wildsr.degradation.canvas import Canvas, join
from wildsr.degradation.pipeline import Step, frequencies, pick
from wildsr.degradation.resize import resize
from wildsr.degradation.sharpen import usm
from wildsr.error import UserError, unknown

Range = Sequence[float]


def uniform(draw: np.random.Generator, bounds: Range) -> float:
    """A number between the two bounds."""
    return float(draw.uniform(bounds[0], bounds[1]))


def ordered(**ranges: Range) -> dict[str, tuple[float, float]]:
    """Each range as (smallest, largest).

    Raises:
        UserError: something else than two numbers in their order.
    """
    found = {}
    for name, bounds in ranges.items():
        if len(bounds) != 2 or not bounds[0] <= bounds[1]:
            raise UserError(
                f"Argument `{name}` must be two numbers, the smaller first, but got {bounds!r}."
            )
        found[name] = (float(bounds[0]), float(bounds[1]))
    return found


class Blur(Step):
    """A kernel of a random shape, size, width and direction.

    Args:
        kinds: name -> frequency; of isotropic, anisotropic, generalized, generalized_anisotropic,
            plateau, plateau_anisotropic.
        sigma: range of the standard deviation along each axis, in pixels.
        power: widths are uniform in ``sigma ** power``; BSRGAN draws variances, power 2.
        beta_generalized: range of the generalised Gaussian's shape; below and above 1 alike often.
        beta_plateau: the same of the plateau's.
        sinc: probability of a sinc filter instead (Real-ESRGAN, eq. 6): cutoff from pi / 3 to pi,
            and from pi / 5 for kernels of 13 pixels and more.
        sizes: smallest and largest side of the kernel, odd.
        probability: of a sample to be blurred.
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
        for name in kinds:
            if name not in SHAPES:
                raise unknown("Argument `kinds`", name, SHAPES)
        self.kinds = frequencies("kinds", kinds)
        self.ranges = ordered(
            sigma=sigma, beta_generalized=beta_generalized, beta_plateau=beta_plateau
        )
        self.power, self.sinc = float(power), float(sinc)
        self.sizes = [int(size) for size in sizes]
        if len(self.sizes) != 2 or any(size % 2 == 0 for size in self.sizes):
            raise UserError(f"Argument `sizes` must be two odd numbers, but got {sizes!r}.")

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a kernel for each sample and blur with it."""
        made, noted = zip(*(self._kernel(draw) for draw in canvas.draws), strict=True)
        return _blurred(canvas, made, noted)

    def _kernel(self, draw: np.random.Generator) -> tuple[Tensor, str]:
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
    """A circular low-pass, which rings: what resizing and JPEG leave at edges (Real-ESRGAN).

    Args:
        cutoff: range, in radians a pixel.
        sizes: smallest and largest side of the kernel, odd.
        probability: of a sample to go through it.
    """

    def __init__(
        self,
        cutoff: Range = (math.pi / 3, math.pi),
        sizes: Sequence[int] = (7, 21),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.cutoff, self.sizes = ordered(cutoff=cutoff)["cutoff"], list(sizes)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a cutoff for each sample and filter."""
        drawn = []
        for draw in canvas.draws:
            size = int(draw.integers(self.sizes[0] // 2, self.sizes[1] // 2 + 1)) * 2 + 1
            drawn.append(sinc_kernel(uniform(draw, self.cutoff), size))
        made, noted = zip(*drawn, strict=True)
        return _blurred(canvas, made, noted)


def sinc_kernel(cutoff: float, size: int) -> tuple[Tensor, str]:
    """The kernel and its description."""
    return kernels.sinc(torch.tensor([cutoff]), size)[0], f"sinc, cutoff {cutoff:.2f}"


def _blurred(canvas: Canvas, made: Sequence[Tensor], noted: Sequence[str]) -> Canvas:
    size = max(kernel.shape[-1] for kernel in made)
    whole = torch.stack([F.pad(k, ((size - k.shape[-1]) // 2,) * 4) for k in made])
    canvas.image = blur(canvas.image, whole.to(canvas.image))
    canvas.note("blur", kernel=noted, taps=[kernel.shape[-1] for kernel in made])
    return canvas


class RandomResize(Step):
    """Enlarge, shrink or keep, by a factor of each sample's own.

    Args:
        bounds: range of the factor; enlarging draws from its part above 1, shrinking below.
        up: frequency of enlarging.
        down: of shrinking.
        keep: of neither (the sample is brought to the factor 1).
        of: "hr" or "lr": what the factors refer to; the second-order stage of Real-ESRGAN
            refers to the LR size.
        kinds: name -> frequency, of the kinds of resizing.
        probability: of a sample to be resized.
    """

    def __init__(
        self,
        bounds: Range,
        up: float,
        down: float,
        keep: float,
        of: str = "hr",
        kinds: Mapping[str, float] | None = None,
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        if of not in ("hr", "lr"):
            raise UserError(f"Argument `of` must be one of ['hr', 'lr'], but got {of!r}.")
        self.bounds, self.of = ordered(bounds=bounds)["bounds"], of
        self.ways = frequencies("up, down, keep", {"up": up, "down": down, "keep": keep})
        self.kinds = frequencies("kinds", kinds or ALIKE)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a factor and a kind for each sample."""
        sizes, said = [], []
        base = canvas.hr if self.of == "hr" else canvas.lr
        for draw in canvas.draws:
            way, low, high = pick(draw, self.ways), *self.bounds
            bounds = {"up": (1, max(high, 1)), "down": (min(low, 1), 1), "keep": (1, 1)}[way]
            factor = uniform(draw, bounds)
            height, width = (max(int(side * factor), 1) for side in base)
            sizes.append((height, width))
            said.append(pick(draw, self.kinds))
        return resized(canvas, sizes, said)


class InverseResize(Step):
    """Shrink to 1 / f of the HR size, f uniform: BSRGAN's way, more large factors than small.

    Args:
        bounds: range of f.
        kinds: name -> frequency, of the kinds of resizing.
        probability: of a sample to be resized.
    """

    def __init__(
        self, bounds: Range, kinds: Mapping[str, float] | None = None, probability: float = 1.0
    ) -> None:
        super().__init__(probability)
        self.bounds = ordered(bounds=bounds)["bounds"]
        self.kinds = frequencies("kinds", kinds or ALIKE)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a factor and a kind for each sample."""
        sizes, said = [], []
        for draw in canvas.draws:
            factor = uniform(draw, self.bounds)
            height, width = (max(int(side / factor), 1) for side in canvas.hr)
            sizes.append((height, width))
            said.append(pick(draw, self.kinds))
        return resized(canvas, sizes, said)


class ShiftedNearest(Blur):
    """Blur, and keep one pixel of each s x s: the classical model, and BSRGAN's nearest.

    The kernel is shifted by (s - 1) / 2 pixels, to the middle of the s x s pixels of which the
    first is kept, so that the picture does not move. Arguments are those of :class:`Blur`.
    """

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a kernel for each sample."""
        height, width = canvas.lr
        steps = [(max(h // height, 1), max(w // width, 1)) for h, w in canvas.sizes]
        made, noted = [], []
        for draw, (down, across) in zip(canvas.draws, steps, strict=True):
            kernel, said = self._kernel(draw)
            room = max(down, across) // 2
            dy, dx = (torch.tensor([(step - 1) / 2]) for step in (down, across))
            made.append(optics.shift(F.pad(kernel[None], (room,) * 4), dx, dy)[0])
            noted.append(f"{said}, shifted by {(down - 1) / 2:g}px")
        canvas = _blurred(canvas, made, noted)
        sizes = [(h // d, w // a) for (h, w), (d, a) in zip(canvas.sizes, steps, strict=True)]
        images = [
            image[None, :, ::d, ::a][..., :h, :w]
            for image, (d, a), (h, w) in zip(canvas.image, steps, sizes, strict=True)
        ]
        parts = [
            ([i], replace(canvas.part([i]), image=image, sizes=[sizes[i]]))
            for i, image in enumerate(images)
        ]
        canvas = parts[0][1] if len(parts) == 1 else join(parts)
        canvas.note("resize", kind=["nearest"] * len(sizes), size=[f"{h}x{w}" for h, w in sizes])
        return canvas


class ToLR(Step):
    """Bring every sample to the LR size.

    Args:
        kinds: name -> frequency, of the kinds of resizing.
    """

    def __init__(self, kinds: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.kinds = frequencies("kinds", kinds or ALIKE)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a kind for each sample."""
        said = [pick(draw, self.kinds) for draw in canvas.draws]
        return resized(canvas, [canvas.lr] * len(canvas), said)


ALIKE = {"area": 1.0, "bilinear": 1.0, "bicubic": 1.0}  # what the peers choose from


def resized(canvas: Canvas, sizes: Sequence[tuple[int, int]], kinds: Sequence[str]) -> Canvas:
    """Every sample to its own size by its own kind of resizing."""
    canvas.note("resize", kind=kinds, size=[f"{h}x{w}" for h, w in sizes])
    common = [max(side) for side in zip(*sizes, strict=True)]
    if len(canvas) == 1:
        height, width = canvas.sizes[0]
        canvas.image = resize(canvas.image[..., :height, :width], sizes[0], kinds[0])
    else:
        image = canvas.image
        out = image.new_empty(len(canvas), image.shape[1], *common)
        for kind in dict.fromkeys(kinds):
            chosen = [i for i, other in enumerate(kinds) if other == kind]
            valid = torch.tensor([canvas.sizes[i] for i in chosen], device=image.device)
            filled = torch.tensor([sizes[i] for i in chosen], device=image.device)
            out[chosen] = resize(image[chosen], common, kind, valid, filled)
        canvas.image = out
    canvas.sizes = [(int(h), int(w)) for h, w in sizes]
    return canvas


class Sharpen(Step):
    """Unsharp masking of the sharp picture, before it is degraded (Real-ESRGAN).

    Args:
        weight: of the detail that is added.
        radius: of the Gaussian, in pixels; the kernel has 2 (radius // 2) + 1 taps.
        threshold: 1/255; differences below stay as they are.
        probability: of a sample to be sharpened.
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
        """Sharpen all samples alike."""
        canvas.image = usm(canvas.image, self.weight, self.radius, self.threshold)
        canvas.note("sharpen", weight=[self.weight] * len(canvas))
        return canvas
