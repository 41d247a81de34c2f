"""The three kinds of metrics, by their inputs, and how to read each number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from torch import Tensor

from wildsr.error import UserError
from wildsr.metric.fidelity import compared, cut
from wildsr.photo.sensor import RGB, Sensor
from wildsr.pixels import as_rgb, luma, round8, unit

HIGHER, LOWER, NEITHER = "higher", "lower", ""


@dataclass(frozen=True)
class Needs:
    """What a metric needs and does not find here.

    Args:
        what: the file or the package, short enough for a cell of a table: "needs WHAT".
        how: one sentence: what is missing where, and how to get it.
    """

    what: str
    how: str

    def __str__(self) -> str:
        return self.how


class TooSmall(UserError):  # noqa: N818 (it is what is said to a user)
    """An image is too small for this metric; others may be defined."""


@dataclass(frozen=True)
class Setting:
    """What a panel tells its metrics: channel, border and degrader.

    Args:
        channel: "rgb" or "y", for the metrics that have a choice.
        border: pixels cut from every side, for the same.
        degrader: HR to LR, (1, C, sH, sW) to (1, C, H, W) in [0, 1]: a learned degradation.
        sensor: of the photos.
    """

    channel: str
    border: int
    degrader: Callable[[Tensor], Tensor] | None = None
    sensor: Sensor = RGB


def at_least(image: Tensor, side: int, title: str) -> None:
    """Refuse an image with a side shorter than ``side``.

    Raises:
        TooSmall: naming the metric and both sizes.
    """
    height, width = image.shape[-2:]
    if min(height, width) < side:
        raise TooSmall(f"{title} needs {side} x {side} pixels, but got {height} x {width}.")


class Couple:
    """A result and its truth, converted once for all metrics.

    Args:
        sr: (1, C, H, W), [0, 1].
        hr: (1, C, H, W), [0, 1].
        setting: the panel's.
        gray: the truth's file has one channel. MATLAB code takes such an image as its own Y, from
            0 to 255, and not through ``rgb2ycbcr``, so "y" does as well.

    Raises:
        UserError: from the first use on; two sizes, pixels that are not finite floats.
    """

    def __init__(self, sr: Tensor, hr: Tensor, setting: Setting, gray: bool = False) -> None:
        self._given, self._setting, self._gray = (sr, hr), setting, gray

    @cached_property
    def levels(self) -> tuple[Tensor, Tensor]:
        """Both from 0 to 255, (1, C, H, W) in float32: of 8 bits in whole numbers."""
        sr, hr = self._given
        if sr.shape != hr.shape:
            raise UserError(
                "Argument `sr` must have the size of `hr`, "
                f"but got {tuple(sr.shape)} and {tuple(hr.shape)}."
            )
        return levels_of(sr, "sr", self._setting.sensor), levels_of(hr, "hr", self._setting.sensor)

    @cached_property
    def whole(self) -> tuple[Tensor, Tensor]:
        """Both for networks: (1, 3, H, W) in [0, 1], rounded, float32, on their device."""
        device, bands = self._given[0].device, self._setting.sensor.bands
        sr, hr = (as_rgb(unit(levels.to(device)), bands) for levels in self.levels)
        return sr, hr

    @cached_property
    def compared(self) -> tuple[Tensor, Tensor]:
        """Both in the panel's channel, without its border: (1, C, h, w), 0 to 255.

        RGB in float32 (whole numbers), Y in float64; other numbers of channels as they are, and
        their mean as Y.

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
    """An image of [0, 1] from 0 to 255: of photos of 8 bits rounded, of others only clamped.

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
    """How to read a metric: unit, direction, decimals.

    Args:
        title: what a table calls it.
        unit: "dB", "levels" (of 255), ...; "" for a pure number.
        better: "higher", "lower", or "" where it is to be compared with that of sharp photos.
        decimals: worth printing.
        protocol: how it is computed, in plain types, for a results file: whatever is not the
            panel's channel and border.
        libraries: whose versions belong to it.
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
    """A metric of a result and its truth. :attr:`measure` raises TooSmall for small images."""

    measure: Callable[[Couple], float]


@dataclass(frozen=True, kw_only=True)
class Single(About):
    """A metric of a result, (1, 3, sH, sW), and the LR photo it came from, (1, 3, H, W).

    Both come in [0, 1], rounded to 8 bits, in float32.
    """

    measure: Callable[[Tensor, Tensor], float]
    every: bool = False  # channel of the photos; else three of them, as red, green and blue


@dataclass(frozen=True, kw_only=True)
class Set(About):
    """A metric of all results of a row against a set of sharp images.

    Args:
        describe: (1, 3, H, W) in [0, 1], rounded to 8 bits, to (patches, ...): what is kept of
            an image.
        compare: of all results, (N, ...), and of all sharp images, (M, ...), to a number.
    """

    describe: Callable[[Tensor], Tensor]
    compare: Callable[[Tensor, Tensor], float]


Metric = Pair | Single | Set
