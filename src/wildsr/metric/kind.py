"""The three kinds of metrics, by their inputs: a pair of images, a single image, two sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from wildsr.error import UserError
from wildsr.metric.fidelity import compared, cut
from wildsr.photo.sensor import RGB, Sensor
from wildsr.pixels import as_rgb, luma, round8, unit

HIGHER, LOWER, NEITHER = "higher", "lower", ""


@dataclass(frozen=True)
class Needs:
    """What a metric needs but is missing here: a weights file, a package or a degradation.

    Args:
        what: the file or the package, short enough for a cell of a table: "needs WHAT".
        how: one sentence: what is missing where, and how to get it.
    """

    what: str
    how: str

    def __str__(self) -> str:
        return self.how


class TooSmall(UserError):  # noqa: N818 (it is what is said to a user)
    """The image is too small for this metric."""


@dataclass(frozen=True)
class Setting:
    """The settings that a panel passes to its metrics.

    Args:
        channel: "rgb" or "y", for the metrics that compare pixels.
        border: pixels cut from every side, for the same metrics.
        degrader: a learned degradation, HR (1, C, sH, sW) to LR (1, C, H, W), in [0, 1].
        sensor: of the photos.
    """

    channel: str
    border: int
    degrader: Callable[[Tensor], Tensor] | None = None
    sensor: Sensor = RGB


def at_least(image: Tensor, side: int, title: str) -> None:
    """Refuse an image (..., H, W) with a side shorter than ``side``.

    Raises:
        TooSmall: naming the metric and both sizes.
    """
    height, width = image.shape[-2:]
    if min(height, width) < side:
        raise TooSmall(f"{title} needs {side} x {side} pixels, but got {height} x {width}.")


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two images are equal, so that what was computed of one holds for the other."""
    return a is b or (a.shape == b.shape and a.device == b.device and torch.equal(a, b))


class Couple:
    """A result and its ground truth, converted once for all full-reference metrics.

    Args:
        sr: the result, (1, C, H, W), [0, 1].
        hr: the ground truth, (1, C, H, W), [0, 1].
        setting: the panel's.
        gray: whether the truth's file has one channel. MATLAB code takes such an image as its own
            Y, from 0 to 255, without ``rgb2ycbcr``; with "y" the same is done here.

    Raises:
        UserError: on first use: sizes that differ, or pixels that are not finite floats.
    """

    def __init__(self, sr: Tensor, hr: Tensor, setting: Setting, gray: bool = False) -> None:
        self._given, self._setting, self._gray = (sr, hr), setting, gray

    @cached_property
    def levels(self) -> tuple[Tensor, Tensor]:
        """Both images from 0 to 255, (1, C, H, W) in float32; 8-bit photos are rounded.

        Raises:
            UserError: sizes that differ, or pixels that are not finite floats.
        """
        sr, hr = self._given
        if sr.shape != hr.shape:
            raise UserError(
                "Argument `sr` must have the size of `hr`, "
                f"but got {tuple(sr.shape)} and {tuple(hr.shape)}."
            )
        return levels_of(sr, "sr", self._setting.sensor), levels_of(hr, "hr", self._setting.sensor)

    @cached_property
    def whole(self) -> tuple[Tensor, Tensor]:
        """Both images for networks: (1, 3, H, W) in [0, 1], rounded, float32, on their device."""
        device, bands = self._given[0].device, self._setting.sensor.bands
        sr, hr = (as_rgb(unit(levels.to(device)), bands) for levels in self.levels)
        return sr, hr

    @cached_property
    def compared(self) -> tuple[Tensor, Tensor]:
        """Both images in the panel's channel, without its border: (1, C, h, w), 0 to 255.

        RGB in float32, Y in float64. With another number of channels than 3, "rgb" means all
        channels and "y" their mean.

        Raises:
            UserError: no pixel is left.
        """
        sr, hr = self.levels
        if self._gray and self._setting.channel == "y":
            sr, hr = luma(sr.double()), luma(hr.double())
        if self._setting.sensor.channels != 3:
            sr, hr = (luma(x) for x in (sr, hr)) if self._setting.channel == "y" else (sr, hr)
            return cut(sr, hr, self._setting.border)
        return compared(sr, hr, self._setting.border, self._setting.channel)


def levels_of(image: Tensor, argument: str, sensor: Sensor) -> Tensor:
    """Convert ``image`` (1, C, H, W) in [0, 1] to 0 to 255, float32; 8-bit photos are rounded.

    Photos of more than 8 bits are only clamped.

    Raises:
        UserError: pixels that are not finite floats.
    """
    if not sensor.deep:
        return round8(image, argument)
    image = (image.cpu() if image.device.type == "mps" else image).float()
    if not image.sum().isfinite():
        raise UserError(f"Argument `{argument}` must hold finite numbers.")
    return image.clamp(0, 1).mul(255)


@dataclass(frozen=True, kw_only=True)
class About:
    """The description of a metric: how to read, print and reproduce its numbers.

    Args:
        title: its name in tables.
        unit: "dB", "levels" (of 255), ...; "" for a pure number.
        better: "higher", "lower", or "" if it has to be compared with the value of sharp photos.
        decimals: to print.
        protocol: how it is computed, in plain types, for a results file, apart from the panel's
            channel and border.
        libraries: packages whose versions are part of the protocol.
        weights: the files it reads; a results file holds their hashes.
        needs: what is missing to compute it; None if nothing is.
    """

    title: str
    better: str
    unit: str = ""
    decimals: int = 4
    protocol: Mapping[str, object] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    weights: tuple[Path, ...] = ()
    needs: Needs | None = None


@dataclass(frozen=True, kw_only=True)
class Pair(About):
    """A full-reference metric. :attr:`measure` raises TooSmall for small images."""

    measure: Callable[[Couple], float]


@dataclass(frozen=True, kw_only=True)
class Single(About):
    """A no-reference metric of a result, (1, C, sH, sW), and its LR photo, (1, C, H, W).

    :attr:`measure` gets both in [0, 1], float32, rounded to 8 bits (if the photos are of 8 bits).
    """

    measure: Callable[[Tensor, Tensor], float]
    every: bool = False  # whether it gets all channels of the photos; else three, as RGB


@dataclass(frozen=True, kw_only=True)
class Set(About):
    """A metric between the set of results of one upscaler and a set of sharp images.

    Args:
        describe: features of one image: (1, 3, H, W) in [0, 1], rounded to 8 bits, to (patches,
            ...).
        compare: features of all results, (N, ...), and of all sharp images, (M, ...), to a number.
    """

    describe: Callable[[Tensor], Tensor]
    compare: Callable[[Tensor, Tensor], float]


Metric = Pair | Single | Set
