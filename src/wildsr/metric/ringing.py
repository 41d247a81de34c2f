"""Ringing: overshoot beside strong edges."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.metric.consistency import scale_of
from wildsr.metric.kind import LOWER, Setting, Single, at_least
from wildsr.pixels import luma

STEP, FLAT = 48, 16  # 1/255: least height of an edge, largest range of a flat region
LINE = 0.25  # of the edge's height; larger differences are lines or further edges
START = 2  # pixels from the middle of an edge to the first that is examined
MOST = 100_000  # profiles; of more, every n-th is used


def overshoot(image: Tensor, reach: int) -> float:
    r"""The mean overshoot (halo) at step edges, in 1/255.

    .. math:: o = \max(0, mean_{e} (\max_{near} z - \max_{far} z))

    Along rows and columns of the luma, an edge is where the slope has its largest magnitude within
    ``reach`` pixels and the luma changes by 48/255 or more over 2 ``reach``. On each of its sides,
    ``near`` are the 2 ``reach`` pixels from the second on, ``far`` the 2 ``reach`` behind them; z
    is the luma, with the sign for which the edge rises towards that side. Only sides whose ``far``
    is flat (a range of 16/255 or less) count, and only differences up to a quarter of the edge's
    height, as larger ones are lines and further edges. Noise has the same expected maximum in
    ``near`` and ``far``, so it cancels. 0 if there are no such edges.

    Measuring in flat regions beside strong edges follows Liu, Klomp and Heynderickx 2010; the
    formula is our own.

    Args:
        image: (1, 3, H, W), [0, 1]; sides longer than 2 (2 + 4 ``reach``).
        reach: pixels; the scale, as halos are as wide as LR pixels.
    """
    gray = 255 * luma(image.double())[0, 0]
    found = torch.cat([_excesses(gray, reach), _excesses(gray.T, reach)])
    return max(0.0, found.mean().item()) if len(found) else 0.0


def ringing(setting: Setting) -> Single:
    """Halos beside strong edges; see :func:`overshoot`, with a reach of s pixels (2 at least)."""

    def measure(sr: Tensor, lr: Tensor) -> float:
        reach = max(2, scale_of(sr, lr))
        at_least(sr, 2 * (START + 4 * reach) + 1, "The ringing detector")
        return overshoot(sr, reach)

    return Single(
        title="ringing",
        better=LOWER,
        unit="levels",
        decimals=2,
        protocol={
            "edges": f"steps of {STEP} levels beside regions that span at most {FLAT}",
            "reach": "the scale",
            "pixels": "luma, 0 to 255",
            "border": 0,
        },
        measure=measure,
    )


def _excesses(gray: Tensor, reach: int) -> Tensor:
    """``max near - max far`` of every side of every edge along the rows that counts, (N,)."""
    margin = START + 4 * reach
    slope = (gray[:, 2:] - gray[:, :-2]).abs()  # of the pixels 1 to W - 2
    peak = torch.nn.functional.max_pool1d(slope, 2 * reach + 1, 1, reach)
    change = (gray[:, 2 * reach :] - gray[:, : -2 * reach]).abs()  # of `reach` to W - 1 - `reach`
    inner = slice(margin, gray.shape[1] - margin)
    edge = (slope == peak)[:, margin - 1 : gray.shape[1] - margin - 1]
    edge &= change[:, margin - reach : gray.shape[1] - margin - reach] >= STEP
    rows, columns = edge.nonzero(as_tuple=True)
    every = max(1, -(-len(rows) // MOST))
    rows, columns = rows[::every], columns[::every] + inner.start
    height = gray[rows, columns + reach] - gray[rows, columns - reach]
    found = []
    for side in (1, -1):
        steps = side * torch.arange(START, margin, device=gray.device)
        profile = side * height.sign()[:, None] * gray[rows[:, None], columns[:, None] + steps]
        near, far = profile.split(2 * reach, dim=1)
        highest = far.max(dim=1).values
        excess = near.max(dim=1).values - highest
        counts = (highest - far.min(dim=1).values <= FLAT) & (excess.abs() <= LINE * height.abs())
        found.append(excess[counts])
    return torch.cat(found)
