"""Which photos of a folder may be of one camera, by how they were coded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from wildsr.degradation.coding import Coding

GAP = 0.35  # of the mean logarithm of the steps: that of the qualities 75 and 82, or 50 and 64
FEWEST, SHARE = 12, 0.1  # photos of a group
MOST = 3  # groups


def by_coding(codings: Sequence[Coding | None]) -> list[list[int]]:
    """Indices of the photos, in groups whose tables are clearly finer or coarser than the others'.

    Software codes with tables of its own, so that tables tell cameras apart before anything is
    measured, and without the bias that grouping by a measurement would have. Photos that were never
    JPEG are a group as well. A group of fewer than ``FEWEST`` photos, or a tenth of them, goes with
    its neighbour.
    """
    coarse = [-1.0 if coding is None else coding.coarseness for coding in codings]
    order = sorted(range(len(coarse)), key=coarse.__getitem__)
    least = max(FEWEST, round(SHARE * len(order)))
    gaps = [coarse[b] - coarse[a] for a, b in pairwise(order)]
    cuts: list[int] = []
    for place in sorted(range(len(gaps)), key=gaps.__getitem__, reverse=True):
        if gaps[place] < GAP or len(cuts) == MOST - 1:
            break
        ends = [0, *sorted([*cuts, place + 1]), len(order)]
        if min(b - a for a, b in pairwise(ends)) >= least:
            cuts.append(place + 1)
    ends = [0, *sorted(cuts), len(order)]
    return [sorted(order[a:b]) for a, b in pairwise(ends)]
