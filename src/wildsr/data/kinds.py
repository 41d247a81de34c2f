"""Determine the kind of photos in two folders: channels, depth, range of values."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from wildsr.atomic import write_text
from wildsr.data.packed import PackedStore
from wildsr.error import UserError
from wildsr.photo.samples import Range, kind_of

BITS = (10, 12, 14)  # bit depths of sensors whose values are stored in 16 bits
MARGIN = 0.02  # added on both sides of floats' percentiles, as a share of their span
FEW, ALIKE = (
    0.1,
    4.0,
)  # share of the span below which a minimum counts as 0; ratio of spans up to which both share one

Kinds = Counter[tuple[int, str]]  # files of each number of channels and depth


def kinds_of(paths: Sequence[Path], limit: float | None, note: Path) -> Kinds:
    """Count the files of each kind (channels, depth) by their headers; cached in ``note``."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        known = json.loads(note.read_text("ascii"))
        return Counter({(int(channels), depth): count for channels, depth, count in known})
    found: Kinds = Counter()
    for path in paths:
        with contextlib.suppress(UserError):  # reported when the pixels are read
            kind = kind_of(path, limit)
            found[kind.channels, kind.depth] += 1
    with contextlib.suppress(UserError):
        write_text(note, json.dumps([[c, d, n] for (c, d), n in sorted(found.items())]))
    return found


def channels_of(folders: Mapping[str, Kinds]) -> tuple[int, list[str]]:
    """Choose the number of channels for all folders; returns it and remarks on mixtures.

    Of gray and RGB it is RGB, unless all LR photos are gray: the camera of those has no colours.

    Args:
        folders: what the user calls a folder -> its files; those of LR photos end with "lr`".
    """
    counts: Counter[int] = Counter()
    for kinds in folders.values():
        for (channels, _), number in kinds.items():
            counts[channels] += number
    if not counts:  # nothing can be read; reported elsewhere
        return 3, []
    lr = {c for name, kinds in folders.items() if name.endswith("lr`") for c, _ in kinds}
    mixed = 1 if lr == {1} else 3
    chosen = mixed if set(counts) <= {1, 3} and len(counts) > 1 else counts.most_common(1)[0][0]
    if len(counts) == 1:
        return chosen, []
    words = {1: "gray", 3: "RGB"}
    listed = ", ".join(f"{n} {words.get(c, f'of {c} channels')}" for c, n in counts.most_common())
    made = words.get(chosen, f"{chosen} channels")
    remedy = ""
    if chosen in words:
        remedy = f" (data.channels={4 - chosen} takes all as {words[4 - chosen]})"
    return chosen, [f"{' and '.join(folders)} hold {listed} files: all are made {made}{remedy}"]


def depth_of(folders: Mapping[str, Kinds]) -> tuple[str, list[str]]:
    """Choose the depth for all folders; returns it and remarks on mixtures.

    Floats if any file has them; else 16 bits if at least half of the LR photos have them. A scan
    among JPEGs does not make all of them 16 bits, of which JPEG knows nothing.

    Args:
        folders: what the user calls a folder -> its files; those of LR photos end with "lr`".
    """
    counts = {name: Counter[str]() for name in folders}
    for name, kinds in folders.items():
        for (_, depth), number in kinds.items():
            counts[name][depth] += number
    every = sum(counts.values(), Counter[str]())
    if not every:
        return "8", []
    if len(every) == 1:
        return next(iter(every)), []
    lr = sum((count for name, count in counts.items() if name.endswith("lr`")), Counter[str]())
    decides = lr or every
    chosen = "16" if 2 * decides["16"] >= decides.total() else "8"
    chosen = "float" if every["float"] else chosen
    words = {"8": "8 bits", "16": "16 bits", "float": "floating-point numbers"}
    listed = ", ".join(f"{n} of {words[d]}" for d, n in every.most_common())
    remedy = (
        "as most LR photos are (data.depth=16 keeps all bits; JPEG is then not modelled)"
        if chosen == "8"
        else "black and white are those of the fewer bits (data.depth=8 cuts all to 8 bits)"
    )
    made = f"all are made {words[chosen]}, {remedy}"
    return chosen, [f"{' and '.join(folders)} hold files {listed}: {made}"]


def range_of(store: PackedStore) -> Range | None:
    """The values of black and white of a store; None for the full range of its type.

    For 16 bits of which all values fit into 10, 12 or 14 bits, as sensors have, that range. For
    floats from the 0.1st to the 99.9th percentile over all photos, extended by 2 % on both sides;
    from 0 if they begin near 0.
    """
    if store.ranges is None:
        return None
    least, low, high, most = (
        float(v) for v in (*store.ranges.min(0)[:2], *store.ranges.max(0)[2:])
    )
    if store.dtype.kind == "u":
        bits = next((bits for bits in BITS if most < 2**bits), None)
        return None if bits is None else (0.0, float(2**bits - 1))
    span = high - low
    if not span > 0:
        low, span = least, max(most - least, 1.0)
    begin = 0.0 if least >= 0 and low <= FEW * high else low - MARGIN * span
    return _rounded(begin), _rounded(low + span + MARGIN * span)


def ranges_of(lr: PackedStore, hr: PackedStore) -> tuple[Range | None, Range | None, list[str]]:
    """The values of black and white of both folders: common ones, unless their spans differ much.

    A common range keeps the meaning of a value, and of noise that depends on it. If one folder's
    span is more than four times the other's, each has its own range, and a remark says so.

    Returns:
        The ranges of LR and HR (None for the full range of the type), and remarks.
    """
    ranges = [range_of(store) for store in (lr, hr)]
    white = 65535.0 if lr.dtype.kind == "u" else 1.0
    (a, b), (c, d) = ((0.0, white) if r is None else r for r in ranges)
    if ranges[0] == ranges[1]:
        return ranges[0], ranges[1], []
    if max(b - a, d - c) > ALIKE * min(b - a, d - c):
        said = (
            f"{lr.argument} and {hr.argument} hold values of different ranges, {a:g} to {b:g} and "
            f"{c:g} to {d:g}: each is taken from black to white by its own (data.range=[low, high] "
            "sets one for both)"
        )
        return ranges[0], ranges[1], [said]
    both = (min(a, c), max(b, d))
    return (None, None, []) if both == (0.0, white) else (both, both, [])


def _rounded(value: float) -> float:
    """To four digits, so that what is recorded is short."""
    return float(f"{value:.4g}")
