"""Pipeline steps that resize."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch.nn import functional as F

from wildsr.degradation import optics
from wildsr.degradation.pipeline.blur import Blur, blurred
from wildsr.degradation.pipeline.canvas import Canvas, join
from wildsr.degradation.pipeline.pipeline import Step, frequencies, pick
from wildsr.degradation.pipeline.ranges import Range, ordered, uniform
from wildsr.degradation.resize import KINDS, resize
from wildsr.error import UserError


class RandomResize(Step):
    """Enlarges, shrinks or keeps each sample, by a random factor.

    Args:
        bounds: range of the factor; enlarging draws from its part above 1, shrinking below.
        up: frequency of enlarging.
        down: frequency of shrinking.
        keep: frequency of the factor 1.
        of: "hr" or "lr": the size that the factors refer to; the second-order stage of Real-ESRGAN
            refers to the LR size.
        kinds: name -> frequency, of the interpolation.
        probability: that a sample is resized.

    Raises:
        UserError: an unknown ``of`` or kind; ranges or frequencies that cannot be.
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
        self.bounds, self.of = ordered(above=0, bounds=bounds)["bounds"], of
        self.ways = frequencies("up, down, keep", {"up": up, "down": down, "keep": keep})
        self.kinds = frequencies("kinds", kinds or ALIKE, KINDS)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a factor and an interpolation for each sample, and resize it."""
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
    """Shrinks to 1 / f of the HR size, f uniform (BSRGAN).

    Thus strong shrinking is more frequent than with a uniform factor.

    Args:
        bounds: range of f.
        kinds: name -> frequency, of the interpolation.
        probability: that a sample is resized.

    Raises:
        UserError: an unknown kind; ranges or frequencies that cannot be.
    """

    def __init__(
        self, bounds: Range, kinds: Mapping[str, float] | None = None, probability: float = 1.0
    ) -> None:
        super().__init__(probability)
        self.bounds = ordered(above=0, bounds=bounds)["bounds"]
        self.kinds = frequencies("kinds", kinds or ALIKE, KINDS)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a factor and an interpolation for each sample, and resize it."""
        sizes, said = [], []
        for draw in canvas.draws:
            factor = uniform(draw, self.bounds)
            height, width = (max(int(side / factor), 1) for side in canvas.hr)
            sizes.append((height, width))
            said.append(pick(draw, self.kinds))
        return resized(canvas, sizes, said)


class ShiftedNearest(Blur):
    """Blurs and keeps one pixel of each s x s block, without shifting the image.

    The classical degradation model, and BSRGAN's nearest-neighbour downscaling. The kernel is
    shifted by (s - 1) / 2 pixels, to the middle of the block of which the first pixel is kept, so
    that the image stays aligned. Arguments and errors are those of :class:`Blur`.
    """

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a kernel for each sample, blur and subsample it."""
        height, width = canvas.lr
        steps = [(max(h // height, 1), max(w // width, 1)) for h, w in canvas.sizes]
        made, noted = [], []
        for draw, (down, across) in zip(canvas.draws, steps, strict=True):
            kernel, said = self.kernel(draw)
            room = max(down, across) // 2
            dy, dx = (torch.tensor([(step - 1) / 2]) for step in (down, across))
            made.append(optics.shift(F.pad(kernel[None], (room,) * 4), dx, dy)[0])
            noted.append(f"{said}, shifted by {(down - 1) / 2:g}px")
        canvas = blurred(canvas, made, noted)
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
    """Resizes every sample to the LR size: the last resizing of a pipeline.

    Args:
        kinds: name -> frequency, of the interpolation.

    Raises:
        UserError: an unknown kind, or frequencies that cannot be.
    """

    def __init__(self, kinds: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.kinds = frequencies("kinds", kinds or ALIKE, KINDS)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw an interpolation for each sample, and resize it."""
        said = [pick(draw, self.kinds) for draw in canvas.draws]
        return resized(canvas, [canvas.lr] * len(canvas), said)


ALIKE = {"area": 1.0, "bilinear": 1.0, "bicubic": 1.0}  # as BSRGAN and Real-ESRGAN


def resized(canvas: Canvas, sizes: Sequence[tuple[int, int]], kinds: Sequence[str]) -> Canvas:
    """Resize every sample to its own size with its own interpolation."""
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
