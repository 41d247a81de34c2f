"""Compute one metric of the catalogue on arrays and tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from wildsr.api.images import AnyImage, is_gray, tensor_of
from wildsr.error import UserError
from wildsr.metric.kind import Set, TooSmall
from wildsr.metric.panel import Panel

Degrade = Callable[[Tensor], Tensor]


def with_truth(
    name: str, sr: AnyImage, hr: AnyImage, channel: str = "rgb", border: int = 0
) -> float:
    """Compute a full-reference metric of a result and its ground truth.

    Args:
        name: of the metric, as in :data:`wildsr.metric.catalogue.CATALOGUE`.
        sr: the result; see :data:`wildsr.api.images.WANTED`.
        hr: the ground truth, of the same size.
        channel: "rgb" or "y".
        border: pixels cut from every side.

    Raises:
        UserError: sizes differ, an image is too small, or weights or a package are missing.
    """
    panel = _ready(name, channel, border)
    gray = is_gray(hr)
    return _value(panel, name, tensor_of(sr, "sr")[0], tensor_of(hr, "hr")[0], None, gray)


def alone(
    name: str, sr: AnyImage, lr: AnyImage | None = None, degrader: Degrade | None = None
) -> float:
    """Compute a no-reference metric of a result, given its LR photo if the metric needs it.

    Args:
        name: of the metric, as in :data:`wildsr.metric.catalogue.CATALOGUE`.
        sr: the result; see :data:`wildsr.api.images.WANTED`.
        lr: the LR photo that ``sr`` was made from.
        degrader: HR to LR, for the metrics that compare in LR through a learned degradation.

    Raises:
        UserError: sizes do not fit, an image is too small, or weights or a package are missing.
    """
    result = tensor_of(sr, "sr")[0]
    source = result if lr is None else tensor_of(lr, "lr")[0]
    return _value(_ready(name, degrader=degrader), name, result, None, source, False)


def of_sets(name: str, results: Sequence[AnyImage], sharp: Sequence[AnyImage]) -> float:
    """Compute a metric between two sets of images, such as FID.

    Args:
        name: of the metric, as in :data:`wildsr.metric.catalogue.CATALOGUE`.
        results: the results; see :data:`wildsr.api.images.WANTED`.
        sharp: the sharp images they are compared with.

    Raises:
        UserError: a set without an image that is large enough, or weights or a package are missing.
    """
    panel = _ready(name)
    metric = panel.parts[name]
    assert isinstance(metric, Set)
    sets = []
    for argument, images in (("results", results), ("sharp", sharp)):
        gathering = panel.gather()
        for image in images:
            gathering.add(tensor_of(image, argument)[0])
        if not gathering.kept[metric.describe]:
            raise UserError(
                f"Argument `{argument}` must hold an image that is large enough for "
                f"{metric.title}, but has none."
            )
        sets.append(gathering)
    ours, theirs = (torch.cat(gathering.kept[metric.describe]) for gathering in sets)
    return metric.compare(ours, theirs)  # which may say that a set is too small


def _value(panel: Panel, name: str, *images: Any) -> float:
    value = panel.measure(*images)[name]
    if value is None:
        title = panel.parts[name].title
        height, width = images[0].shape[2:]
        raise TooSmall(f"{title} is not defined for an image as small as {height} x {width}.")
    return value


def _ready(
    name: str, channel: str = "rgb", border: int = 0, degrader: Degrade | None = None
) -> Panel:
    """The panel of one metric, its network loaded once."""
    keep = degrader is None and isinstance(channel, str) and isinstance(border, int)
    panel = _kept(name, channel, border) if keep else Panel(channel, border, [name], degrader)
    if missing := panel.missing():
        _kept.cache_clear()  # look again next time: the file may have been put there
        raise UserError(missing[name].how)
    return panel


@lru_cache(maxsize=32)
def _kept(name: str, channel: str, border: int) -> Panel:
    return Panel(channel, border, [name])
