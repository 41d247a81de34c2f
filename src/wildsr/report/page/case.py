"""Photos for the HTML page: choose them, crop them, encode them within a size limit."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from wildsr.data.validation import ValidationPhotos
from wildsr.error import UserError
from wildsr.evaluation.summary import Summary
from wildsr.metric.kind import LOWER
from wildsr.photo.image import read_image
from wildsr.photo.view import picture, window_of
from wildsr.pixels import unit
from wildsr.report.sheet import crop_of_interest

LARGEST = 1024  # HR pixels a side; of a larger photo the part with the most detail is shown
THUMBNAIL = 96
# WebP quality of the pictures (None: lossless); the first with which all of them fit is taken.
CODINGS: tuple[int | None, ...] = (None, 95, 85)
METHOD = 2  # WebP's effort: twice as fast as its default, 5 % larger


@dataclass
class Case:
    """A photo on the page.

    Attributes:
        photo_set: name of the photo's set.
        image: its name.
        size: (width, height) of the displayed part, in HR pixels.
        note: which part is displayed, if not the whole.
        gain: improvement of the last row over the first, larger is better; None if unknown.
        versions: data URIs by name: LR, every row, truth.
        thumbnail: a small data URI.
        values: the metrics of each row.
        errors: of the rows that failed.
    """

    photo_set: str
    image: str
    size: tuple[int, int]
    note: str
    gain: float | None
    versions: dict[str, str] = field(default_factory=dict)
    thumbnail: str = ""
    values: dict[str, Mapping[str, float | None]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gallery:
    """The photos on the page, with remarks.

    Args:
        cases: the worst first.
        metric: decides which is the worst; None if nothing can be compared.
        coding: how the pictures are stored, in words.
        left_out: number of photos that did not fit.
    """

    cases: Sequence[Case]
    metric: str | None
    coding: str
    left_out: int


def gallery(
    summary: Summary, sets: Mapping[str, ValidationPhotos], scale: int, budget: int
) -> Gallery:
    """Choose the worst and best cases for the page, as many as fit.

    Cases are ordered by the improvement of the last row over the first; they are taken from both
    ends alternately. The pictures are lossless if all of them fit, else WebP with the best quality
    at which they fit; at the lowest quality, what does not fit is left out.

    Args:
        summary: its outcomes have pictures on disk.
        sets: the photos by set.
        scale: HR size / LR size.
        budget: bytes of all data URIs together.
    """
    metric = ordering_metric(summary)
    ordered = sorted(_found(summary, metric), key=_worst_first)
    quality: int | None = None
    cases: list[Case] = []
    for quality in CODINGS:
        cases, room = [], budget
        for key, gain in _from_both_ends(ordered):
            made = _case(summary, sets[key[0]], key, gain, scale, quality)
            if made is None:
                continue
            weight = len(made.thumbnail) + sum(map(len, made.versions.values()))
            if weight > room:
                break
            room -= weight
            cases.append(made)
        if len(cases) == len(ordered):
            break
    cases.sort(key=lambda case: _worst_first((("", ""), case.gain)))
    coding = "lossless" if quality is None else f"WebP of quality {quality}"
    return Gallery(cases, metric, coding, len(ordered) - len(cases))


def ordering_metric(summary: Summary) -> str | None:
    """The first metric with a direction that both the first and the last row have, or None."""
    for metric in summary.metrics:
        part = summary.parts.get(metric)
        known = [line.values.get(metric) is not None for line in summary.of_set(None)]
        if part is not None and part.better and known and known[0] and known[-1]:
            single = any(o.values.get(metric) is not None for o in summary.outcomes)
            if single and len(known) > 1:
                return metric
    return None


Key = tuple[str, str]  # set, image
# The page's own pictures have these names: what rows of them are called beside them.
OWN = {"LR": "LR (row)", "truth": "truth (row)"}


def _found(summary: Summary, metric: str | None) -> list[tuple[Key, float | None]]:
    """Every photo that some row succeeded with, and what the last row gains."""
    values = {(o.row, o.photo_set, o.image): o.values for o in summary.outcomes if not o.error}
    keys = dict.fromkeys((o.photo_set, o.image) for o in summary.outcomes if not o.error)
    found: list[tuple[Key, float | None]] = []
    if not keys:
        return found
    first, last = summary.rows[0], summary.rows[-1]
    for key in keys:
        ends = [values.get((row, *key), {}).get(metric or "") for row in (first, last)]
        gain = None
        if ends[0] is not None and ends[1] is not None:
            lower = metric is not None and summary.parts[metric].better == LOWER
            more = 0.0 if ends[0] == ends[1] else ends[1] - ends[0]  # also of two infinities
            gain = None if math.isnan(more) else more * (-1 if lower else 1)
        found.append((key, gain))
    return found


def _worst_first(item: tuple[Key, float | None]) -> tuple[bool, float]:
    return item[1] is None, item[1] or 0.0


def _from_both_ends(items: Sequence[Any]) -> Iterator[Any]:
    for index in range((len(items) + 1) // 2):
        yield items[index]
        if index != len(items) - 1 - index:
            yield items[-1 - index]


def _case(
    summary: Summary,
    photos: ValidationPhotos,
    key: Key,
    gain: float | None,
    scale: int,
    quality: int | None,
) -> Case | None:
    """The pictures of one photo; None if it cannot be read any more."""
    try:
        photo = photos[photos.names.index(key[1])]
    except (UserError, ValueError):
        return None
    bands = photos.sensor.bands
    window = window_of(photo["lr"]) if photo["lr"].is_floating_point() else None
    lr: Tensor = picture(photo["lr"], bands, window)
    height, width = lr.shape[1:]
    side = LARGEST // scale
    top, left, tall, wide = 0, 0, min(height, side), min(width, side)
    note = ""
    if height > side or width > side:
        top, left = crop_of_interest(unit(lr), side)
        top, left = min(top, height - tall), min(left, width - wide)
        note = f"a part of {wide * scale} x {tall * scale} of {width * scale} x {height * scale}"

    def shown(image: Tensor, times: int) -> Tensor:
        rows = slice(top * times, (top + tall) * times)
        return image[:, rows, left * times : (left + wide) * times]

    made = Case(*key, (wide * scale, tall * scale), note, gain)
    small = shown(lr, 1)
    made.versions["LR"] = data_uri(small, quality)
    made.thumbnail = _thumbnail(small)
    for outcome in summary.outcomes:
        if (outcome.photo_set, outcome.image) != key:
            continue
        row = OWN.get(outcome.row, outcome.row)
        if outcome.error is not None:
            made.errors[row] = outcome.error
        elif outcome.picture is not None and outcome.picture.exists():
            sr = torch.from_numpy(read_image(outcome.picture, None)).permute(2, 0, 1)
            made.versions[row] = data_uri(shown(sr, scale), quality)
            made.values[row] = outcome.values
    if "hr" in photo:
        made.versions["truth"] = data_uri(
            shown(picture(photo["hr"], bands, window), scale), quality
        )
    return made


def data_uri(image: Tensor, quality: int | None) -> str:
    """Encode uint8 (3, H, W) as a WebP data URI; lossless for quality None."""
    return _uri(
        _pillow(image),
        "WEBP",
        **({"lossless": True} if quality is None else {"quality": quality}),
        method=METHOD if quality is not None else 0,
    )


def file_uri(data: bytes, kind: str = "png") -> str:
    """Encode a picture file as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _thumbnail(image: Tensor) -> str:
    small = _pillow(image)
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return _uri(small, "JPEG", quality=80)


def _pillow(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())


def _uri(image: Image.Image, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    save: Callable[..., None] = image.save
    save(file, kind, **options)
    return file_uri(file.getvalue(), kind.lower())
