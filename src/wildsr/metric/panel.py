"""Panels: several metrics computed with the same settings.

    panel = Panel(channel="y", border=4, metrics=["psnr", "lr_consistency", "swd"])
    panel.parts["psnr"]                    -> Pair(title="PSNR", unit="dB", better="higher", ...)
    panel.measure(sr, hr, lr)              -> {"psnr": 28.4, "lr_consistency": 41.0}   per image
    row, sharp = panel.gather(), panel.gather()
    row.add(sr); sharp.add(hr)             for every image
    panel.compare(row, sharp)              -> {"swd": 63.0}                            per row
    panel.missing()                        -> {"lpips": Needs("alexnet-....pth", "The trunk ...")}
    panel.protocol()                       -> plain types for results.json

Three kinds of metrics (:mod:`wildsr.metric.kind`): Pair needs the ground truth, Single needs the
result and its LR photo, Set needs all results and a set of sharp images, which may be unrelated. A
value is None if it cannot be computed: no ground truth, no weights, an image that is too small.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor

from wildsr.argument import check_integer
from wildsr.error import UserError, unknown
from wildsr.metric.catalogue import CATALOGUE
from wildsr.metric.fidelity import CHANNELS
from wildsr.metric.kind import (
    Couple,
    Metric,
    Needs,
    Pair,
    Set,
    Setting,
    Single,
    TooSmall,
    levels_of,
)
from wildsr.network.trunk.files import fingerprint
from wildsr.photo.sensor import RGB, Sensor
from wildsr.pixels import as_rgb, unit

DEFAULT = ("psnr", "ssim", "st_lpips", "lpips")


class Gathering:
    """Collects the features of images for the set metrics of a panel; see :meth:`Panel.gather`."""

    def __init__(self, sets: Sequence[Set], sensor: Sensor = RGB) -> None:
        self.sensor = sensor
        # Metrics with the same features (FID and KID) share them.
        self.kept: dict[Callable[[Tensor], Tensor], list[Tensor]] = {
            metric.describe: [] for metric in sets if metric.needs is None
        }

    def add(self, image: Tensor) -> None:
        """Add an image, (1, C, H, W) in [0, 1]; metrics for which it is too small ignore it.

        Raises:
            UserError: pixels that are not finite floats, another shape.
        """
        image = as_rgb(_rounded(image, "image", self.sensor), self.sensor.bands)
        for describe, kept in self.kept.items():
            try:
                kept.append(describe(image).cpu())
            except TooSmall:
                continue


class Panel:
    """The metrics of one evaluation with their common settings.

    Args:
        channel: "rgb" or "y", for the metrics that compare pixels.
        border: pixels cut from every side, for the same metrics.
        metrics: names of :data:`wildsr.metric.catalogue.CATALOGUE`, in the table's order.
        degrader: a learned degradation, HR (1, C, sH, sW) to LR (1, C, H, W), which
            "lr_consistency_learned" and "lr_discrepancy" need.

    Raises:
        UserError: an unknown channel or metric, a negative border.
    """

    def __init__(
        self,
        channel: str,
        border: int,
        metrics: Sequence[str] = DEFAULT,
        degrader: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        if channel not in CHANNELS:
            raise unknown("Argument `channel`", channel, CHANNELS)
        check_integer("Argument `border`", border, 0)
        if isinstance(metrics, str):
            raise UserError(f"Argument `metrics` must be a list, but got {metrics!r}.")
        for name in metrics:
            if name not in CATALOGUE:
                raise unknown("Argument `metrics`: each", name, CATALOGUE)
        self.channel, self.border, self.metrics = channel, border, tuple(metrics)
        self._setting = Setting(channel, border, degrader)
        self._make()

    @property
    def sensor(self) -> Sensor:
        """The kind of photos; 8-bit RGB unless set by :meth:`take`."""
        return self._setting.sensor

    def take(self, sensor: Sensor) -> Panel:
        """Set the kind of photos and return self; those of more than 8 bits are not rounded."""
        if sensor != self.sensor:
            self._setting = replace(self._setting, sensor=sensor)
            self._make()
        return self

    def _make(self) -> None:
        self.parts: dict[str, Metric] = {
            name: CATALOGUE[name](self._setting) for name in self.metrics
        }

    def measure(
        self, sr: Tensor, hr: Tensor | None = None, lr: Tensor | None = None, gray: bool = False
    ) -> dict[str, float | None]:
        """Compute the Pair and Single metrics of one image.

        C is the number of channels of the photos, 3 for RGB.

        Args:
            sr: the result, (1, C, sH, sW), [0, 1].
            hr: the ground truth, if there is one, (1, C, sH, sW), [0, 1].
            lr: the LR photo that ``sr`` was made from, (1, C, H, W), [0, 1].
            gray: the truth's file has one channel; see :class:`wildsr.metric.kind.Couple`.

        Returns:
            One value for each Pair and Single metric, in the order asked for; None if it cannot be
            computed.

        Raises:
            UserError: more than one image, sizes that differ, pixels that are not finite floats, an
                image smaller than the border.
        """
        sensor = self.sensor
        _check_one(sr, "sr", sensor)
        couple = None if hr is None else Couple(sr, hr, self._setting, gray)
        every = None if couple is None or sensor.channels == 3 else couple.levels[0]
        if every is not None:
            rounded = unit(every.to(sr.device))
        else:
            rounded = _rounded(sr, "sr", sensor) if couple is None else couple.whole[0]
        source = None if lr is None else _rounded(lr, "lr", sensor)
        measured: dict[str, float | None] = {}
        with torch.no_grad():
            for name, metric in self.parts.items():
                if isinstance(metric, Set):
                    continue
                measured[name] = None
                if metric.needs is not None:
                    continue
                try:
                    if isinstance(metric, Pair) and couple is not None:
                        measured[name] = metric.measure(couple)
                    elif isinstance(metric, Single) and source is not None:
                        shown = (rounded, source)
                        if not metric.every and sensor.channels != 3:
                            shown = (as_rgb(rounded, sensor.bands), as_rgb(source, sensor.bands))
                        measured[name] = metric.measure(*shown)
                except TooSmall:
                    continue
        return measured

    def gather(self) -> Gathering:
        """Start a collection of images for the set metrics: one for each set to be compared."""
        return Gathering(
            [metric for metric in self.parts.values() if isinstance(metric, Set)], self.sensor
        )

    def compare(self, results: Gathering, sharp: Gathering) -> dict[str, float | None]:
        """Compute the set metrics between results and sharp images.

        None if a set is empty or too small, or weights are missing.

        Raises:
            UserError: as the metric's.
        """
        values: dict[str, float | None] = {}
        for name, metric in self.parts.items():
            if isinstance(metric, Set):
                ours, theirs = (g.kept.get(metric.describe, []) for g in (results, sharp))
                values[name] = None
                if ours and theirs:
                    with contextlib.suppress(TooSmall):  # sets too small for it
                        values[name] = metric.compare(torch.cat(ours), torch.cat(theirs))
        return values

    def missing(self) -> dict[str, Needs]:
        """The metrics that cannot be computed on this machine, and what each of them needs."""
        return {name: metric.needs for name, metric in self.parts.items() if metric.needs}

    def protocol(self) -> dict[str, object]:
        """How the numbers are computed, in plain types, for the results file."""
        stated: dict[str, object] = {
            "channel": self.channel,
            "border": self.border,
            "rounding": "RGB to 8 bits; Y (BT.601, 16 to 235) is not rounded again; "
            "with channel y a truth of one channel is compared as it is, 0 to 255",
            "mean": "arithmetic, over images",
        }
        if not self.sensor.plain:
            stated |= _of_sensor(self.sensor)
        libraries = {"torch": None, "kornia": None}
        for name, metric in self.parts.items():
            stated[name] = _stated(metric)
            libraries |= dict.fromkeys(metric.libraries)
        stated["versions"] = {library: _version(library) for library in libraries}
        return stated


def _of_sensor(sensor: Sensor) -> dict[str, object]:
    """What is stated of photos that are not 8-bit RGB."""
    low, high = sensor.span()
    bands = list(sensor.bands or range(3))
    seen = {1: "the channel three times", 3: "RGB", 2: "both and their mean"}
    return {
        "photos": sensor.sentence(),
        "channels": sensor.channels,
        "data_range": [low, high],
        "rounding": "none; PSNR and SSIM of values from black to white, whose distance is the data "
        "range; Y of other than three channels is their mean"
        if sensor.deep
        else "to 8 bits",
        "shown to networks and to metrics of colour": seen.get(
            sensor.channels, f"the channels {bands} as RGB"
        ),
    }


def _rounded(image: Tensor, argument: str, sensor: Sensor = RGB) -> Tensor:
    """One image as a file would hold it: (1, C, H, W) in [0, 1], float32, where it was."""
    _check_one(image, argument, sensor)
    return unit(levels_of(image, argument, sensor).to(image.device))


def _check_one(image: Tensor, argument: str, sensor: Sensor) -> None:
    if image.ndim != 4 or image.shape[1] != sensor.channels:
        raise UserError(
            f"Argument `{argument}` must have the shape (1, {sensor.channels}, H, W), but got "
            f"{tuple(image.shape)}."
        )
    if len(image) != 1:
        raise UserError(f"Argument `{argument}` must hold one image, but got {len(image)}.")


def _stated(metric: Metric) -> dict[str, object]:
    """The entry of one metric in a results file."""
    said: dict[str, object] = {
        **metric.protocol,
        "title": metric.title,
        "unit": metric.unit,
        "better": metric.better or "neither: compare with sharp photos",
        "available": metric.needs is None,
        "needs": None if metric.needs is None else metric.needs.how,
    }
    if metric.weights and metric.needs is None:
        said["weights"] = {path.name: fingerprint(path) for path in metric.weights}
    return said


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
