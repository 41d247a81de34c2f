"""Group the photos of a folder by their lossy coding: each group may be of another camera."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from wildsr.degradation.coding import Coding

GAP = 0.35  # in the mean log quantisation step: as between qualities 75 and 82, or 50 and 64
FEWEST, SHARE = 12, 0.1  # least number and share of photos in a group
MOST = 3  # groups


def by_coding(codings: Sequence[Coding | None]) -> list[list[int]]:
    """Group photos whose quantisation tables are clearly finer or coarser than the others'.

    Different software uses different tables, so they can tell cameras apart before anything is
    measured, without the bias of grouping by measurements. Photos without a lossy coding count as
    the finest. Groups of fewer than ``FEWEST`` photos, or a tenth of all, are merged with a
    neighbour.

    Returns:
        Lists of indices of the photos.
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
