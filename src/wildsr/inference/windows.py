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
    """How far a tile extends into its neighbours, in LR pixels (multiples of a cell).

    Args:
        hidden: outer part, which only gives the network context; its output is discarded.
        feather: part next to the seam, where the outputs of both tiles are blended.
    """

    hidden: int
    feather: int

    @property
    def margin(self) -> int:
        """Sum of both parts, in LR pixels."""
        return self.hidden + self.feather


def overlap_for(radius: int | None, wanted: int | None = None) -> Overlap:
    """Choose the overlap with which tiles join without a visible seam.

    Where the margin covers the receptive radius, the output of a tile equals that of the whole
    image, and nothing needs blending. Otherwise the half of the margin next to the seam is blended,
    at most 16 LR pixels.

    Args:
        radius: of the network, in LR pixels; None if it is unbounded.
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
        first, last: the range that is read: with the margin, within the image.
        fresh: where the used part of its output begins: ``start`` less the feather.
        faded: where the used part of its output ends: ``stop`` plus the feather.
    """

    start: int
    stop: int
    first: int
    last: int
    fresh: int
    faded: int


def span(start: int, length: int, tile: int, overlap: Overlap, cell: int = CELL) -> Span:
    """The tile that begins at ``start``: the rest is divided into equal parts of at most ``tile``.

    Args:
        start: LR pixels.
        length: LR pixels of the whole axis.
        tile: LR pixels of a tile without the overlap.
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
    """Cut an axis of ``length`` LR pixels into tiles; see :func:`span`."""
    start = 0
    while start < length:
        found = span(start, length, tile, overlap, cell)
        yield found
        start = found.stop
