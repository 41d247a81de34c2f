"""Panels: metrics under one protocol.

    panel = Panel(channel="y", border=4, metrics=["psnr", "lr_consistency", "swd"])
    panel.parts["psnr"]                    -> Pair(title="PSNR", unit="dB", better="higher", ...)
    panel.measure(sr, hr, lr)              -> {"psnr": 28.4, "lr_consistency": 41.0}   per image
    row, sharp = panel.gather(), panel.gather()
    row.add(sr); sharp.add(hr)             for every image
    panel.compare(row, sharp)              -> {"swd": 63.0}                            per row
    panel.missing()                        -> {"lpips": Needs("alexnet-....pth", "The trunk ...")}
    panel.protocol()                       -> plain types for results.json

Three kinds of metrics (:mod:`wildsr.metric.kind`): Pair needs the truth, Single needs the result
and its LR photo, Set needs all results and a set of sharp images, unrelated ones too. A value is
None where it cannot be computed: no truth, no weights, an image too small for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor

from wildsr.argument import check_integer
from wildsr.error import UserError, unknown
from wildsr.loss.weights import fingerprint
from wildsr.metric.catalogue import CATALOGUE
from wildsr.metric.fidelity import CHANNELS
from wildsr.metric.kind import Couple, Metric, Needs, Pair, Set, Setting, Single, TooSmall
from wildsr.pixels import round8, unit

DEFAULT = ("psnr", "ssim", "st_lpips", "lpips")


class Gathering:
    """Collects what the set metrics of a panel need; see :meth:`Panel.gather`."""

    def __init__(self, sets: Sequence[Set]) -> None:
        # Metrics that look at the same description share it.
        self.kept: dict[Callable[[Tensor], Tensor], list[Tensor]] = {
            metric.describe: [] for metric in sets if metric.needs is None
        }

    def add(self, image: Tensor) -> None:
        """Add an image, (1, 3, H, W) in [0, 1]; one too small for a metric is left out there.

        Raises:
            UserError: pixels that are not finite floats, another shape.
        """
        image = _rounded(image, "image")
        for describe, kept in self.kept.items():
            try:
                kept.append(describe(image).cpu())
            except TooSmall:
                continue


class Panel:
    """The metrics of one evaluation, and their protocol.

    Args:
        channel: "rgb" or "y", for the metrics that compare pixels.
        border: pixels cut from every side, for the same.
        metrics: names of :data:`wildsr.metric.catalogue.CATALOGUE`, in the table's order.
        degrader: HR to LR, (1, 3, sH, sW) to (1, 3, H, W): a learned degradation, which
            "lr_consistency_learned" needs.

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
        self.parts: dict[str, Metric] = {
            name: CATALOGUE[name](self._setting) for name in self.metrics
        }

    def measure(
        self, sr: Tensor, hr: Tensor | None = None, lr: Tensor | None = None, gray: bool = False
    ) -> dict[str, float | None]:
        """The metrics of one image.

        Args:
            sr: (1, 3, sH, sW), [0, 1].
            hr: (1, 3, sH, sW), [0, 1]: the truth, where there is one.
            lr: (1, 3, H, W), [0, 1]: what ``sr`` was made from.
            gray: the truth's file has one channel; see :class:`wildsr.metric.kind.Couple`.

        Returns:
            One value for each Pair and Single metric, in the order asked for; None where it cannot
            be computed.

        Raises:
            UserError: more than one image, two sizes, pixels that are not finite floats, an image
                smaller than the border.
        """
        _check_one(sr, "sr")
        couple = None if hr is None else Couple(sr, hr, self._setting, gray)
        rounded = _rounded(sr, "sr") if couple is None else couple.whole[0]
        source = None if lr is None else _rounded(lr, "lr")
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
                        measured[name] = metric.measure(rounded, source)
                except TooSmall:
                    continue
        return measured

    def gather(self) -> Gathering:
        """Start a collection for the set metrics: one for each row, one for the sharp images."""
        return Gathering([metric for metric in self.parts.values() if isinstance(metric, Set)])

    def compare(self, results: Gathering, sharp: Gathering) -> dict[str, float | None]:
        """Compute the set metrics of one row.

        None where a set is empty or too small, or weights are missing.

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
        """The metrics that cannot be computed here, and what each of them needs."""
        return {name: metric.needs for name, metric in self.parts.items() if metric.needs}

    def protocol(self) -> dict[str, object]:
        """How the numbers are computed, in plain types, to be stored beside them."""
        stated: dict[str, object] = {
            "channel": self.channel,
            "border": self.border,
            "rounding": "RGB to 8 bits; Y (BT.601, 16 to 235) is not rounded again; "
            "with channel y a truth of one channel is compared as it is, 0 to 255",
            "mean": "arithmetic, over images",
        }
        libraries = {"torch": None, "kornia": None}
        for name, metric in self.parts.items():
            stated[name] = _stated(metric)
            libraries |= dict.fromkeys(metric.libraries)
        stated["versions"] = {library: _version(library) for library in libraries}
        return stated


def _rounded(image: Tensor, argument: str) -> Tensor:
    """One image as a file would hold it: (1, 3, H, W) in [0, 1], float32, where it was."""
    _check_one(image, argument)
    return unit(round8(image, argument).to(image.device))


def _check_one(image: Tensor, argument: str) -> None:
    if image.ndim != 4 or image.shape[1] != 3:
        raise UserError(
            f"Argument `{argument}` must have the shape (1, 3, H, W), but got {tuple(image.shape)}."
        )
    if len(image) != 1:
        raise UserError(f"Argument `{argument}` must hold one image, but got {len(image)}.")


def _stated(metric: Metric) -> dict[str, object]:
    """What a results file says of one metric."""
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
