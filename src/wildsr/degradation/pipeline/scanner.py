"""Pipeline steps for line sensors and coherent imaging: stripes and speckle."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from wildsr.degradation.pipeline.canvas import Canvas
from wildsr.degradation.pipeline.pipeline import Step, frequencies, pick
from wildsr.degradation.pipeline.ranges import Range, ordered, share, uniform
from wildsr.degradation.scanner import ALONG, gamma_speckle, rayleigh_speckle, stripes

SPECKLES = ("sar_intensity", "sar_amplitude", "ultrasound")


class Stripes(Step):
    """Adds the stripes of a line sensor, whose detectors differ in gain and offset.

    Args:
        gain: range of the gains' standard deviation.
        offset: range of the offsets' standard deviation, in 1/255.
        along: name -> frequency of "columns" and "rows", the direction of the stripes.
        probability: that a sample gets stripes.

    Raises:
        UserError: an unknown direction; ranges or frequencies that cannot be.
    """

    def __init__(
        self,
        gain: Range = (0.0, 0.03),
        offset: Range = (0.5, 6.0),
        along: Mapping[str, float] | None = None,
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.ranges = ordered(least=0, gain=gain, offset=offset)
        self.along = frequencies("along", along or {"columns": 1.0}, ALONG)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a sensor's parameters for each sample, and apply them one by one."""
        generators, made, noted = canvas.generators(), [], []
        for index, draw in enumerate(canvas.draws):
            values = {name: uniform(draw, bounds) for name, bounds in self.ranges.items()}
            along = pick(draw, self.along)
            made.append(
                stripes(
                    canvas.image[[index]],
                    values["gain"],
                    values["offset"] / 255,
                    along,
                    None if generators is None else [generators[index]],
                )
            )
            noted.append((along, values["gain"], values["offset"]))
        canvas.image = torch.cat(made).clamp(0, 1)
        lines, gains, offsets = zip(*noted, strict=True)
        canvas.note("stripes", along=lines, gain=gains, offset=offsets)
        return canvas


class Speckle(Step):
    """Multiplies by the speckle of radar (SAR) or ultrasound.

    Args:
        kinds: name -> frequency; of sar_intensity, sar_amplitude, ultrasound.
        looks: range of a radar's number of looks; fewer looks are stronger speckle.
        lateral: range of an ultrasound pulse's standard deviation across the beam, in pixels.
        axial: range of the standard deviation along the beam, in pixels.
        strength: range of the strength of ultrasound speckle, 0 to 1.
        gray: probability of radar speckle that is the same in all channels (ultrasound's always
            is).
        probability: that a sample gets speckle.

    Raises:
        UserError: an unknown kind; ranges or frequencies that cannot be.
    """

    def __init__(
        self,
        kinds: Mapping[str, float],
        looks: Range = (2.0, 16.0),
        lateral: Range = (0.8, 2.0),
        axial: Range = (0.4, 1.0),
        strength: Range = (0.3, 0.8),
        gray: float = 1.0,
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.kinds, self.gray = frequencies("kinds", kinds, SPECKLES), share("gray", gray)
        self.ranges = ordered(above=0, looks=looks, lateral=lateral, axial=axial)
        self.ranges |= ordered(least=0, strength=strength)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a kind and a strength for each sample, and apply them one by one."""
        generators, made, noted = canvas.generators(), [], []
        for index, draw in enumerate(canvas.draws):
            kind, image = pick(draw, self.kinds), canvas.image[[index]].clamp(0, 1)
            values = {name: uniform(draw, bounds) for name, bounds in self.ranges.items()}
            own = None if generators is None else [generators[index]]
            if kind == "ultrasound":
                widths = (values["lateral"], values["axial"])
                made.append(rayleigh_speckle(image, *widths, values["strength"], own))
                level = f"{values['strength']:.2f}"
            else:
                gray = torch.tensor([bool(draw.random() < self.gray)])
                amplitude = kind == "sar_amplitude"
                made.append(gamma_speckle(image, values["looks"], amplitude, gray, own))
                level = f"{values['looks']:.1f} looks"
            noted.append((kind, level))
        canvas.image = torch.cat(made).clamp(0, 1)
        kinds, levels = zip(*noted, strict=True)
        canvas.note("speckle", kind=kinds, level=levels)
        return canvas
