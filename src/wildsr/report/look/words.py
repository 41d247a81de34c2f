"""The findings of ``wildsr look`` as sentences and as plain data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from wildsr import __version__
from wildsr.forensics.coding import HEADER, PIXELS
from wildsr.network.degrader.physics import physical
from wildsr.network.degrader.words import sentence
from wildsr.report.look.folder import Folder
from wildsr.report.look.photo import Look

SCHEMA = 1
CLIPPED = 0.01  # fraction of a photo's pixels from which on clipping is reported
CORRELATED = 0.15  # correlation between neighbours from which on noise is not called white
NAMED = 5  # photos named in a sentence


@dataclass(frozen=True)
class Finding:
    """One finding: its subject and a sentence."""

    title: str
    said: str


def findings(folder: Folder, scale: int) -> list[Finding]:
    """Describe the photos in sentences, one subject after the other."""
    looks = folder.looks
    lines = [
        Finding("photos", _photos(folder)),
        Finding("kind", _kind(folder)),
        Finding("coding", f"{folder.codings}."),
        Finding("tables", _tables(looks)),
        Finding("grid", _grid(looks)),
        Finding("older coding", _older(looks)),
        Finding("enlarged", _enlarged(looks)),
        Finding("noise", _noise(looks)),
        Finding("edges", _edges(looks)),
        Finding("clipping", _clipping(looks)),
        Finding("cameras", _cameras(folder, scale)),
        Finding("odd ones out", _odd(folder)),
        Finding("training", _training(folder, scale)),
    ]
    return [line for line in lines if line.said]


def _kind(folder: Folder) -> str:
    """What training takes the photos for, where that is not 8-bit RGB."""
    if folder.sensor.plain:
        return ""
    said = f"{folder.sensor.sentence()}; the camera is measured so, the rest on them as 8-bit RGB"
    return ". ".join([said, *folder.mixed]) + "."


def document(folder: Folder, scale: int, seconds: float) -> dict[str, Any]:
    """The findings as plain data (``look.json``); docs/look.md lists the keys."""
    measured = folder.measured
    return {
        "schema": SCHEMA,
        "wildsr": __version__,
        "scale": scale,
        "seconds": round(seconds, 2),
        "found": folder.found,
        "findings": {line.title: line.said for line in findings(folder, scale)},
        "codings": folder.codings.to_dict(),
        "sizes": _counts([f"{look.width}x{look.height}" for look in folder.looks]),
        "noise": _spread([look.noise for look in folder.looks]),
        "correlation": _spread([look.correlation for look in folder.looks]),
        "edge": _spread([look.edge for look in folder.looks]),
        "black": _spread([look.black for look in folder.looks]),
        "white": _spread([look.white for look in folder.looks]),
        "cameras": cameras(folder, scale),
        "odd": [{"name": odd.name, "reason": odd.reason} for odd in folder.odd],
        "training": None if measured is None else measured.sentence(scale),
        "photos": [look.to_dict() for look in folder.looks],
        "unreadable": [{"name": n, "reason": r} for n, r in folder.unreadable],
        "unreadable_sharp": [{"name": n, "reason": r} for n, r in folder.unreadable_sharp],
    }


def cameras(folder: Folder, scale: int) -> list[dict[str, Any]]:
    """For each group of photos, possibly of one camera: its share, photos and properties.

    If the degradation was measured, ``physical`` holds it in the units of docs/camera.md, and
    ``said`` in words.
    """
    found = folder.measured.calibration if folder.measured is not None else None
    groups: Sequence[Sequence[int]] = found.members if found is not None else folder.groups
    total = sum(map(len, groups))
    made = []
    for number, members in enumerate(groups):
        own = [folder.looks[i] for i in members]
        one: dict[str, Any] = {
            "share": len(members) / total,
            "photos": [look.name for look in own],
            "coding": _usual([str(look.coding) for look in own]),
            "stated": _counts([look.camera for look in own if look.camera]),
            "noise": _spread([look.noise for look in own]),
            "edge": _spread([look.edge for look in own]),
        }
        if found is not None:
            numbers = physical(found.groups[number].solution.camera, scale)
            one |= {"physical": numbers, "said": sentence(numbers)}
            one |= {"misfit": found.groups[number].misfit, "doubt": found.groups[number].doubt}
        made.append(one)
    return made


def _photos(folder: Folder) -> str:
    looks = folder.looks
    said = f"{len(looks)} looked at"
    if folder.found > len(looks):
        said = f"{len(looks)} of {folder.found} looked at"
    sizes = _counts([f"{look.width} x {look.height}" for look in looks])
    if len(sizes) <= 3:
        each = [size if len(sizes) == 1 else f"{size} ({n})" for size, n in sizes.items()]
        said += f", {_few(each)} pixels"
    else:
        areas = sorted(((k.width * k.height, k) for k in looks), key=lambda one: one[0])
        low, high = areas[0][1], areas[-1][1]
        said += f", {low.width} x {low.height} to {high.width} x {high.height} pixels"
    stated = _counts([look.camera for look in looks if look.camera])
    if stated:
        said += f"; EXIF states {_few([f'{name} ({n})' for name, n in stated.items()])}"
    if folder.unreadable:
        said += f"; {len(folder.unreadable)} cannot be read"
    return f"{said}."


def _tables(looks: Sequence[Look]) -> str:
    jpegs = [look.coding for look in looks if look.coding.luma is not None]
    if not jpegs:
        return ""
    samplings = _counts([coding.subsampling or "not known" for coding in jpegs])
    tables = len({(coding.luma, coding.chroma) for coding in jpegs})
    said = f"{tables} different" if tables > 1 else "all the same"
    own = sum(not coding.exact for coding in jpegs)
    said += f", {own} of {len(jpegs)} not libjpeg's own" if own else ", all of them libjpeg's own"
    words = {"4:0:0": "4:0:0 (gray)"}
    kinds = " and ".join(f"{n} {words.get(kind, kind)}" for kind, n in samplings.items())
    return f"{said}; chrominance: {kinds}."


def _grid(looks: Sequence[Look]) -> str:
    known = [look for look in looks if look.coding.phase is not None]
    if not known:
        return ""
    off = [look.name for look in known if look.coding.phase != (0, 0)]
    if not off:
        return "the blocks of all of them begin in the corner: none was cropped since."
    return (
        f"{len(off)} of {len(known)} were cropped or turned since they were coded, their blocks "
        f"do not begin in the corner: {_few(off)}."
    )


def _older(looks: Sequence[Look]) -> str:
    twice = [look for look in looks if look.coding.older is not None]
    if not any(look.coding.source in (HEADER, PIXELS) for look in looks):
        return ""
    if not twice:
        return "none shows an earlier, coarser JPEG."
    said = [f"{look.name} ({look.coding.older})" for look in twice]
    return f"{len(twice)} of {len(looks)} were JPEG before: {_few(said)}."


def _enlarged(looks: Sequence[Look]) -> str:
    grown = [(look.name, look.coding.enlarged) for look in looks if look.coding.enlarged]
    if not grown:
        return ""
    said = _few([f"{name} (by about {factor:.2g})" for name, factor in grown])
    return (
        f"{len(grown)} of {len(looks)} were enlarged since they were taken: {said}. Reduced by as "
        "much they hold the same, and an upscaler has less to undo."
    )


def _noise(looks: Sequence[Look]) -> str:
    levels = _known([look.noise for look in looks])
    if not levels:
        return "the photos are too small to tell."
    said = f"{median(levels):.1f}/255 where it is flat"
    if len(levels) > 1:
        said += f", {min(levels):.1f} to {max(levels):.1f} from photo to photo"
    beside = _known([look.correlation for look in looks])
    if beside and median(levels) >= 0.5:
        usual = median(beside)
        white = "white" if usual < CORRELATED else "correlated"
        said += f"; {white} ({usual:+.2f} between neighbours)"
    after = any(look.coding.kind for look in looks)
    return f"{said}{'; what coding has left of it' if after else ''}."


def _edges(looks: Sequence[Look]) -> str:
    rises = _known([look.edge for look in looks])
    if not rises:
        return ""
    said = f"the sharpest rise within {median(rises):.1f} px"
    if len(rises) > 1:
        said += f" ({min(rises):.1f} to {max(rises):.1f})"
    return f"{said}, of 10 to 90 % of their contrast."


def _clipping(looks: Sequence[Look]) -> str:
    black, white = (median(getattr(look, side) for look in looks) for side in ("black", "white"))
    said = f"{black:.1%} of the pixels have a channel at 0, {white:.1%} at 255 (median)"
    much = [look.name for look in looks if max(look.black, look.white) >= CLIPPED]
    if much:
        said += f"; at least {CLIPPED:.0%} in {len(much)} of {len(looks)}: {_few(much)}"
    return f"{said}."


def _cameras(folder: Folder, scale: int) -> str:
    parts = []
    made = cameras(folder, scale)
    for one in made:
        said = one.get("said") or f"most: {one['coding']}"
        parts.append(said if len(made) == 1 else f"{len(one['photos'])} photos: {said}")
    how = "" if "physical" in made[0] else " by their coding"
    head = f"one{how}" if len(made) == 1 else f"{len(made)}{how}"
    return f"{head}; {'; '.join(parts)}."


def _odd(folder: Folder) -> str:
    if not folder.odd:
        return "none."
    return f"{_few([f'{odd.name} ({odd.reason})' for odd in folder.odd])}."


def _training(folder: Folder, scale: int) -> str:
    if folder.measured is not None:
        return f"{folder.measured.sentence(scale)}."
    known = len(folder.codings.jpegs) + len(folder.codings.webps)
    tables = (
        f"draws its pictures' coding from these {known} photos, and "
        if known
        else "makes its pictures without JPEG, and "
    )
    return (
        f"{tables}measures blur and noise against sharp photos of anything before it begins; "
        "data.hr=DIR lets look do so."
    )


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _spread(values: Sequence[float | None]) -> dict[str, float] | None:
    """Least, median and most."""
    known = _known(values)
    return {"min": min(known), "median": median(known), "max": max(known)} if known else None


def _counts(values: Sequence[str]) -> dict[str, int]:
    """How often each, the most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _usual(values: Sequence[str]) -> str:
    return next(iter(_counts(values)))


def _few(words: Sequence[str]) -> str:
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return ", ".join(words[:NAMED]) + more
