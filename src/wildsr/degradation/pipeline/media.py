"""Pipeline steps for other media: print, palettes, texture compression, video tape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from wildsr.argument import check_integer
from wildsr.degradation.analogue import chroma_bleed, shift_lines
from wildsr.degradation.dither import (
    SIDES,
    even_palette,
    floyd_steinberg,
    ordered_dither,
    own_palette,
)
from wildsr.degradation.halftone import halftone
from wildsr.degradation.pipeline.canvas import Canvas
from wildsr.degradation.pipeline.pipeline import Step, frequencies, pick
from wildsr.degradation.pipeline.ranges import Range, ordered, share, uniform
from wildsr.degradation.texture import bc1, bc4
from wildsr.error import UserError, unknown

DITHERS = ("floyd_steinberg", "ordered")
BLOCKS = ("bc1", "bc4")


class Halftone(Step):
    """Prints each sample as a halftone with a random screen, and scans it.

    Args:
        period: range of a screen's period, in pixels.
        turn: range of the angle by which all screens are turned, in degrees.
        black: print with black ink what the three channels share.
        probability: that a sample is printed.

    Raises:
        UserError: a range that cannot be, or a period of 1 pixel or less.
    """

    def __init__(
        self,
        period: Range = (2.5, 6.0),
        turn: Range = (-10.0, 10.0),
        black: bool = True,
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.ranges, self.black = ordered(above=1, period=period) | ordered(turn=turn), bool(black)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a period and an angle for each sample, and print it."""
        period, turn = (
            [uniform(draw, self.ranges[name]) for draw in canvas.draws]
            for name in ("period", "turn")
        )
        canvas.image = halftone(
            canvas.image, canvas.numbers(period), canvas.numbers(turn), self.black
        )
        canvas.note("halftone", period=period, turn=turn)
        return canvas


class Dither(Step):
    """Reduces each sample to few colours by dithering.

    Args:
        kinds: name -> frequency; of floyd_steinberg, ordered.
        levels: smallest and largest number of levels of each channel, for evenly spaced palettes;
            at most 4096 colours, which is 16 levels for RGB.
        colours: smallest and largest number of colours of an image's own palette.
        own: probability of the image's own palette (GIF, sprites) instead of an even one.
        sides: sizes of the ordered dither's matrix, one of which is drawn.
        probability: that a sample is dithered.

    Raises:
        UserError: an unknown kind, or numbers that cannot be; when it is applied, more ``levels``
            than 4096 colours have for the images' channels.
    """

    def __init__(
        self,
        kinds: Mapping[str, float],
        levels: Sequence[int] = (2, 8),
        colours: Sequence[int] = (8, 64),
        own: float = 0.5,
        sides: Sequence[int] = SIDES,
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.kinds, self.own = frequencies("kinds", kinds, DITHERS), share("own", own)
        ordered(levels=levels, colours=colours)
        self.levels, self.colours = list(levels), list(colours)
        for name, counts in (("levels", levels), ("colours", colours)):
            for count in counts:
                check_integer(f"Argument `{name}`: each", count, 2, 256)
        if not sides or any(side not in SIDES for side in sides):
            raise UserError(f"Argument `sides` must be some of {list(SIDES)}, but got {sides!r}.")
        self.sides = list(sides)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a palette and a kind of dithering for each sample, and apply them one by one."""
        made, kinds, counts = [], [], []
        if self.own < 1:
            even_palette(self.levels[1], canvas.image.shape[1])  # refused always or never
        for image, (height, width), draw in zip(
            canvas.image.split(1), canvas.sizes, canvas.draws, strict=True
        ):
            kind, own = pick(draw, self.kinds), draw.random() < self.own
            bounds = self.colours if own else self.levels
            count = int(draw.integers(bounds[0], bounds[1] + 1))
            side = self.sides[int(draw.integers(len(self.sides)))]
            seen = image[..., :height, :width].detach()
            palette = own_palette(seen, count) if own else even_palette(count, image.shape[1])
            made.append(
                floyd_steinberg(image, palette)
                if kind == "floyd_steinberg"
                else ordered_dither(image, palette, side)
            )
            kinds.append(kind if kind == "floyd_steinberg" else f"{kind} {side}x{side}")
            counts.append(f"{count} {'colours of its own' if own else 'levels'}")
        canvas.image = torch.cat(made)
        canvas.note("dither", kind=kinds, palette=counts)
        return canvas


class TextureBlocks(Step):
    """Compresses samples as GPU textures.

    Args:
        kind: "bc1" (DXT1: four colours of RGB565 in 4x4 pixels) or "bc4" (each channel separately).
            Images without three channels always use bc4.
        probability: that a sample is compressed.

    Raises:
        UserError: an unknown kind.
    """

    def __init__(self, kind: str = "bc1", probability: float = 1.0) -> None:
        super().__init__(probability)
        if kind not in BLOCKS:
            raise unknown("Argument `kind`", kind, BLOCKS)
        self.kind = kind

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Compress all samples; nothing is drawn."""
        kind = self.kind if canvas.image.shape[1] == 3 else "bc4"
        canvas.image = (bc1 if kind == "bc1" else bc4)(canvas.image)
        canvas.note("texture", kind=[kind] * len(canvas))
        return canvas


class Tape(Step):
    """Records each sample on analogue video tape: interlacing, unsteady lines, bleeding colours.

    Args:
        luma: range of the luma blur along a line, standard deviation in pixels.
        chroma: range of the chroma blur, the same.
        delay: range of the chroma's shift to the right, in pixels.
        motion: range of the motion from one field to the next, in pixels, left or right.
        jitter: range of the standard deviation of each line's shift, in pixels.
        probability: that a sample is recorded.

    Raises:
        UserError: a range that cannot be, or a blur of 0 or less.
    """

    def __init__(
        self,
        luma: Range = (0.3, 1.0),
        chroma: Range = (1.5, 5.0),
        delay: Range = (0.0, 2.0),
        motion: Range = (0.0, 3.0),
        jitter: Range = (0.0, 0.4),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.ranges = ordered(above=0, luma=luma, chroma=chroma)
        self.ranges |= ordered(delay=delay, motion=motion) | ordered(least=0, jitter=jitter)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a recorder's parameters for each sample, and apply them."""
        height, made = canvas.image.shape[2], []
        drawn = [{n: uniform(d, b) for n, b in self.ranges.items()} for d in canvas.draws]
        for image, values, draw in zip(canvas.image.split(1), drawn, canvas.draws, strict=True):
            places = values["jitter"] * draw.standard_normal(height)
            places[1::2] += values["motion"] * (1 if draw.random() < 0.5 else -1)
            lines = shift_lines(image, canvas.numbers(places.tolist())[None])
            made.append(chroma_bleed(lines, values["chroma"], values["delay"], values["luma"]))
        canvas.image = torch.cat(made).clamp(0, 1)
        canvas.note("tape", **{n: [round(v[n], 2) for v in drawn] for n in self.ranges})
        return canvas
