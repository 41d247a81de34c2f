"""Cut an image into overlapping tiles, one axis at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wildsr.error import UserError
from wildsr.inference.tile import CELL, whole_cells

UNBOUNDED_OVERLAP = 32  # LR pixels, for networks whose reach has no bound
FEATHER = 16  # LR pixels to each side of a seam at most, over which tiles fade into each other


@dataclass(frozen=True)
class Overlap:
    """How far a tile reads into its neighbours, in LR pixels: whole cells.

    Args:
        hidden: what only gives the network its context; its output is thrown away.
        feather: what lies nearer to the seam; there both tiles' outputs are mixed.
    """

    hidden: int
    feather: int

    @property
    def margin(self) -> int:
        """The sum of both parts."""
        return self.hidden + self.feather


def overlap_for(radius: int | None, wanted: int | None = None) -> Overlap:
    """Choose the overlap with which tiles join without a seam.

    Where the margin covers the receptive radius the output of a tile is that of the whole image,
    and nothing needs to be mixed. Otherwise the half of it that is nearer to the seam is feathered.

    Args:
        radius: of the network, in LR pixels; None where it has no bound.
        wanted: LR pixels that the user asks for; None takes the radius, or 32.

    Raises:
        UserError: a negative number.
    """
    if wanted is not None and wanted < 0:
        raise UserError(f"Argument `overlap` must be 0 or more pixels, but got {wanted}.")
    if wanted is not None:
        margin = whole_cells(wanted)
    else:
        margin = whole_cells(UNBOUNDED_OVERLAP if radius is None else radius)
    if margin == 0 or (radius is not None and margin >= radius):
        return Overlap(margin, 0)
    feather = min(max(margin // 2 // CELL * CELL, CELL), FEATHER)
    return Overlap(margin - feather, feather)


@dataclass(frozen=True)
class Span:
    """A tile along one axis, which reads LR pixels ``first`` to ``last``.

    Args:
        start: where the tile begins, a multiple of a cell.
        stop: where the next one begins, or the image ends.
        first, last: with the margin, within the image.
        fresh: where its output begins to count: ``start`` less the feather.
        faded: where its output ends to count: ``stop`` plus the feather.
    """

    start: int
    stop: int
    first: int
    last: int
    fresh: int
    faded: int


def span(start: int, length: int, tile: int, overlap: Overlap, cell: int = CELL) -> Span:
    """The tile at ``start``; the rest is cut into equal parts of at most ``tile``.

    Args:
        start: LR pixels.
        length: of the whole axis.
        tile: without the overlap.
        overlap: with the neighbours.
        cell: tiles start at its multiples.
    """
    left = length - start
    parts = -(-left // max(tile // cell * cell, cell))
    stop = min(start + whole_cells(-(-left // parts), cell), length)
    return Span(
        start,
        stop,
        max(start - overlap.margin, 0),
        min(stop + overlap.margin, length),
        max(start - overlap.feather, 0),
        min(stop + overlap.feather, length),
    )


def spans(length: int, tile: int, overlap: Overlap, cell: int = CELL) -> Iterator[Span]:
    """Cut an axis of ``length`` into tiles; see :func:`span`."""
    start = 0
    while start < length:
        found = span(start, length, tile, overlap, cell)
        yield found
        start = found.stop
