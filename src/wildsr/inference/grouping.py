"""Which photos of a job are computed together: small ones of one size and one kind."""

from __future__ import annotations

from collections.abc import Iterator

from wildsr.inference.account import Ready
from wildsr.inference.file import Upscaling
from wildsr.inference.pair import PairMaking
from wildsr.inference.raster import RasterUpscaling
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.stream import size_of

LOOK = 16  # batches among whose photos those of one size are looked for

Making = Upscaling | RasterUpscaling | PairMaking
Opened = tuple[Ready, Making, float]  # and when it was opened


def groups(arrivals: Iterator[Ready], upscaler: object) -> Iterator[list[Ready]]:
    """One photo after the other; small ones of one size together, where tiles are computed so."""
    if not isinstance(upscaler, Upscaler) or upscaler.together == 1:
        yield from ([ready] for ready in arrivals)
        return
    waiting: dict[tuple[int, int], list[Ready]] = {}
    count = 0
    for ready in arrivals:
        size = size_of(ready.path)
        if size is None or max(size) > upscaler.side:
            yield [ready]
            continue
        waiting.setdefault(size, []).append(ready)
        count += 1
        if len(waiting[size]) == upscaler.together or count == LOOK * upscaler.together:
            fullest = max(waiting.values(), key=len)
            count -= len(fullest)
            yield waiting.pop(next(s for s, group in waiting.items() if group is fullest))
    yield from waiting.values()


def alike(opened: list[Opened]) -> list[list[Opened]]:
    """Those of one kind (gray, colour, alpha, 8 or 16 bits in and out) together."""
    kinds: dict[object, list[Opened]] = {}
    for one in opened:
        kinds.setdefault(one[1].alike, []).append(one)
    return list(kinds.values())
