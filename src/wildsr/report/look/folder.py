"""Inspect a folder of photos: groups by coding, outliers, measured degradation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from wildsr.calibration.groups import by_coding
from wildsr.calibration.measure import MOST_SHARP, Measured, as_coding, measured, spread
from wildsr.data.measure import measure
from wildsr.data.module import Folders
from wildsr.error import UserError
from wildsr.forensics.coding import UNREAD
from wildsr.forensics.folder import Codings
from wildsr.photo.image import UnreadableImage, list_images, read_image, relative_names
from wildsr.photo.sensor import RGB, Sensor
from wildsr.report.look.photo import KEPT, Look, look_at, middle

THREADS = 2  # that decode and inspect photos
ENOUGH = 5  # photos at least, to call one of them an outlier
FAR = 4.0  # robust standard deviations from the others' median
NOISIER = math.log(2.0)  # and at least this ratio (as a logarithm) of the noise
COARSER = 0.7  # or this log ratio of the quantization steps: that between the qualities 50 and 75
FEW = 0.2  # fraction of a group up to which photos without JPEG among JPEGs (or the reverse) count
LEAST = 0.3  # 1/255; noise below this counts as this


@dataclass(frozen=True)
class Odd:
    """A photo that is an outlier in its group, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Folder:
    """The result of inspecting a folder of photos.

    Attributes:
        found: number of photos in the folder.
        looks: inspections of the photos that were read.
        unreadable: (name, reason) of those that could not be read.
        groups: indices of ``looks``, grouped by coding.
        odd: photos that differ from their group.
        measured: the measured degradation; None without HR photos.
        unreadable_sharp: like ``unreadable``, for the HR photos.
        sensor: the kind of photos that training takes them for, where the degradation was measured.
        mixed: remarks on photos of several kinds.
    """

    found: int
    looks: tuple[Look, ...]
    unreadable: tuple[tuple[str, str], ...]
    groups: tuple[tuple[int, ...], ...]
    odd: tuple[Odd, ...]
    measured: Measured | None
    unreadable_sharp: tuple[tuple[str, str], ...] = ()
    sensor: Sensor = RGB
    mixed: tuple[str, ...] = ()

    @property
    def codings(self) -> Codings:
        """The JPEG codings of the photos that were inspected."""
        return Codings.of(look.coding for look in self.looks)


def look_into(
    lr: Path,
    hr: Path | None,
    scale: int,
    seed: int,
    photos: int,
    limit: float | None,
    advance: Callable[[], None] = lambda: None,
) -> Folder:
    """Inspect the photos of a folder; measure their degradation if HR photos are given.

    Args:
        lr: folder of the photos, or one photo.
        hr: folder of HR photos, of any scenes; or None.
        scale: HR size / LR size of the planned training.
        seed: of the measurement.
        photos: maximum number of photos to inspect, chosen evenly from all.
        limit: largest size of a photo in megapixels; None for any.
        advance: called after each photo.

    Raises:
        UserError: a folder holds no photo that can be read.
    """
    paths = list_images(lr, "data.lr")
    names = relative_names(paths)
    sharp = list_images(hr, "data.hr") if hr is not None else []
    chosen = spread(len(paths), photos)

    def one(index: int) -> Look | tuple[str, str]:
        try:
            return look_at(paths[index], names[index], limit)
        except UnreadableImage as error:
            return names[index], _reason(error)
        finally:
            advance()

    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(one, chosen))
    looks = tuple(look for look in made if isinstance(look, Look))
    unreadable = tuple(look for look in made if not isinstance(look, Look))
    data = opened(lr, hr, scale, seed, limit) if looks and hr is not None else None
    if data is not None:
        said = {name for name, _ in unreadable}
        unreadable += tuple(pair for pair in data.lr_store.skipped.items() if pair[0] not in said)
        looks = tuple(look for look in looks if look.name not in data.lr_store.skipped)
    if not looks:
        raise UserError(
            f"Argument `data.lr` must hold photos, but none of {lr} can be read: "
            f"{unreadable[0][0]}: {unreadable[0][1]}"
        )
    groups = by_coding([as_coding(look.coding) for look in looks])
    odd = [found for group in groups for found in odd_ones([looks[i] for i in group])]
    camera: Measured | None = None
    lost: list[tuple[str, str]] = []
    if data is not None:
        camera = measure(data, seed, names=[look.name for look in looks])
        lost = list(data.hr_store.skipped.items())
    elif sharp:
        camera, lost = _camera(looks, sharp, scale, seed, limit)
    if camera is not None:
        known = zip(looks, camera.codings.photos, strict=True)  # more than each shows by itself
        looks = tuple(
            look if coding.source == UNREAD else replace(look, coding=coding)
            for look, coding in known
        )
    return Folder(
        len(paths),
        looks,
        unreadable,
        tuple(map(tuple, groups)),
        tuple(odd),
        camera,
        tuple(lost),
        *((RGB, ()) if data is None else (data.kind(), tuple(data.said))),
    )


def opened(lr: Path, hr: Path, scale: int, seed: int, limit: float | None) -> Folders | None:
    """Both folders as training opens them; None if it takes their photos for 8-bit RGB.

    Those need no cache: they are measured on what was inspected.
    """
    data = Folders(str(lr), str(hr), scale, 1, 1, seed, trust=True, limit=limit)
    if data.kind().plain:
        return None
    data.prepare_data()
    data.setup()
    return data


def _camera(
    looks: Sequence[Look], sharp: Sequence[Path], scale: int, seed: int, limit: float | None
) -> tuple[Measured, list[tuple[str, str]]]:
    names, pictures, lost = relative_names(list(sharp)), [], []
    for index in spread(len(sharp), MOST_SHARP):
        try:
            pictures.append(middle(read_image(sharp[index], limit), KEPT).copy())
        except UnreadableImage as error:
            lost.append((names[index], _reason(error)))
    if not pictures:
        raise UserError(
            f"Argument `data.hr` must hold photos, but none can be read: {lost[0][0]}: {lost[0][1]}"
        )
    found = measured(
        [look.name for look in looks],
        [look.middle for look in looks],
        [look.coding for look in looks],
        pictures,
        scale,
        seed,
    )
    return found, lost


def odd_ones(looks: Sequence[Look]) -> list[Odd]:
    """Find photos whose coding or noise is unusual in their group."""
    if len(looks) < ENOUGH:
        return []
    reasons: dict[str, list[str]] = {}

    def far(values: dict[str, float], least: float, words: Callable[[str, float], str]) -> None:
        if len(values) < ENOUGH:
            return
        usual = median(values.values())
        wide = 1.4826 * median(abs(value - usual) for value in values.values())
        for name, value in values.items():
            if abs(value - usual) > max(least, FAR * wide):
                reasons.setdefault(name, []).append(words(name, usual))

    by_name = {look.name: look for look in looks}
    jpeg = {look.name: look for look in looks if look.coding.luma is not None}
    plain = {name: look for name, look in by_name.items() if name not in jpeg}
    for few, many, words in (
        (plain, jpeg, "the others are JPEG"),
        (jpeg, plain, "the others show no JPEG"),
    ):
        if few and many and len(few) <= FEW * len(looks):
            for name, look in few.items():
                reasons.setdefault(name, []).append(f"{look.coding}; {words}")
    coarse = {
        name: table.coarseness
        for name, look in jpeg.items()
        if (table := as_coding(look.coding)) is not None
    }
    qualities = [look.coding.quality for look in jpeg.values() if look.coding.quality is not None]
    common = round(median(qualities)) if qualities else 0
    far(coarse, COARSER, lambda n, _: f"quality {by_name[n].coding.quality}, usual is {common}")
    noise = {
        look.name: math.log(max(look.noise, LEAST)) for look in looks if look.noise is not None
    }
    far(
        noise,
        NOISIER,
        lambda n, usual: f"noise {by_name[n].noise:.1f}/255, usual is {math.exp(usual):.1f}",
    )
    return [Odd(name, "; ".join(words)) for name, words in reasons.items()]


def _reason(error: UnreadableImage) -> str:
    return error.reason or str(error)
