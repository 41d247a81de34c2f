"""Where JPEG's grid lies in a plane, and by which steps its coefficients were quantised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wildsr.forensics.lattice import BLOCK, NEAR, STEPS, Array, evidence, on_all_grids
from wildsr.forensics.planes import blocks, windows
from wildsr.forensics.tables import Table, libjpeg_tables

ROUNDING = 0.3  # standard deviation of coefficients of integer pixels: 1 / sqrt(12), and a bit
WINDOWS = 144  # for the search of the grid
BLOCKS = 1200  # for the table
ENOUGH = 30.0  # nats; e^9 grids and qualities are tried
CHOICE = float(np.log(STEPS))  # nats that the best of 255 steps has for nothing
CERTAIN = 12.0  # nats for a single step beyond CHOICE, and over other steps
SEVERAL = 6  # single steps make a table, where it is not libjpeg's
UNLIKE = 0.1  # share of the evidence that a table of libjpeg's may leave to other steps
BROAD = 24  # frequencies that must speak for a table whose steps are too fine to look at
QUIET = 0.6  # of the spread; coefficients of 0 lie nearer to it only in drawings
USUAL = 0.5  # nats; where nothing tells 74 from 75, it is 75
Steps = npt.NDArray[np.int64]
_AT = np.arange(BLOCK * BLOCK)


@dataclass(frozen=True)
class Found:
    """A grid and its table.

    Attributes:
        phase: row and column of the first whole block, 0 to 7.
        table: 64 steps; 0 where the pixels do not show it.
        quality: of libjpeg, if the table is one of its own.
        nats: log-likelihood over no JPEG at all.
    """

    phase: tuple[int, int]
    table: Table
    quality: int | None
    nats: float


def grids(plane: Array, clipped: npt.NDArray[np.bool_], chrominance: bool = False) -> list[Found]:
    """All grids of JPEG in a plane of integers, the most evident first; none if it never was JPEG.

    For each of the 64 grids, the evidence of :func:`lattice.evidence` for each step of each
    frequency is added up over the tables of libjpeg, and over the best step of each frequency.
    The few best grids are then looked at with many more blocks.
    """
    chosen = windows(plane, clipped, WINDOWS)
    if not len(chosen):
        return []
    spectra = on_all_grids(chosen)
    spread = evidence(spectra.reshape(len(chosen), -1), ROUNDING, 128).reshape(64, 64, STEPS)
    spread[:, 0] = 0  # the mean of a block is read later
    known = libjpeg_tables()[int(chrominance)]
    by_quality = spread[:, _AT, known - 1].sum(2).max(1)
    by_step = np.maximum(spread.max(2) - CHOICE, 0).sum(1)
    vanished = (np.abs(spectra) < 4 * ROUNDING).mean((0, 2))
    likely = [np.argsort(-score, kind="stable") for score in (by_quality, by_step, vanished)]
    places = dict.fromkeys([*likely[0][:2], *likely[1][:2], *likely[2][:1]])
    found = [table_on(plane, clipped, (int(p) // 8, int(p) % 8), chrominance) for p in places]
    return sorted((f for f in found if f is not None), key=lambda f: -f.nats)


def table_on(
    plane: Array,
    clipped: npt.NDArray[np.bool_],
    phase: tuple[int, int],
    chrominance: bool = False,
) -> Found | None:
    """The table of a plane whose grid is given; None if there is too little evidence of any."""
    return table_of(blocks(plane, clipped, phase, BLOCKS), phase, chrominance, ROUNDING)


def table_of(
    spectra: Array,
    phase: tuple[int, int],
    chrominance: bool,
    spread: float,
    quality: int | None = None,
) -> Found | None:
    """The table of blocks (n, 64) on their grid; None if there is too little evidence of any.

    Args:
        spectra: of the blocks.
        phase: of the grid, as it shall be returned.
        chrominance: whether to compare with libjpeg's tables for chrominance.
        spread: standard deviation of coefficients about the multiples of their steps.
        quality: the only one in question; None for all, and for other tables.
    """
    if not len(spectra):
        return None
    reach = 512 if chrominance else 1024  # of a block's mean at most; that of colour is less
    each = evidence(spectra, spread, reach)  # (64, 255)
    known = libjpeg_tables()[int(chrominance)]
    gains = each[_AT, known - 1]  # (100, 64)
    steps = _single_steps(each)
    single = float((each.max(1) - CHOICE)[steps > 0].sum())
    if quality is None:
        quality = _likeliest(gains, single)
        if _unlike(each, steps, known[quality - 1]) or gains[quality - 1].sum() < single / 4:
            quality = 0
    table = known[quality - 1] if quality else steps
    nats = float(gains[quality - 1].sum() - np.log(100)) if quality else single
    if nats < ENOUGH or (not quality and (steps > 0).sum() < SEVERAL):
        return None
    nats_each = each[_AT, np.maximum(table, 1) - 1]
    if not _rounded(spectra, table, spread, chrominance, nats_each):
        return None
    return Found(phase, tuple(table.tolist()), quality or None, nats)


def _likeliest(gains: Array, single: float) -> int:
    """The quality with the most evidence, (100, 64), among those that nothing speaks against.

    An older coding on the same grid leaves much evidence of its table, and much against it.
    """
    total = gains.sum(1) + (np.arange(1, 101) % 5 == 0) * USUAL
    against = -np.minimum(gains, 0).sum(1)
    sound = (against < 20 + total / 20) & (total > single / 4)
    if sound.any():
        total = np.where(sound, total, -np.inf)
    return 100 - int(total[::-1].argmax())  # the highest of those that nothing tells apart


def _single_steps(each: Array) -> Steps:
    """The best step of each frequency, 0 where unsure."""
    best, second = (np.sort(each, axis=1)[:, at] for at in (-1, -2))
    sure = (best > CHOICE + CERTAIN) & (best - second > CERTAIN / 2)
    return np.where(sure, each.argmax(1) + 1, 0)


def _unlike(each: Array, steps: Steps, table: Steps) -> bool:
    """Whether single steps belong to another table than the likeliest of libjpeg's.

    A multiple of a step is no contradiction: an older coding left only those.
    """
    sure = steps > 0
    other = sure & (steps % table != 0) & (each[_AT, table - 1] < 0)
    lost = (each.max(1) - each[_AT, table - 1])[other].sum()
    return bool(sure.sum() >= SEVERAL and lost > UNLIKE * each.max(1)[sure].sum())


def _rounded(spectra: Array, table: Steps, spread: float, chrominance: bool, nats: Array) -> bool:
    """Whether the distances to the multiples are those of rounded pixels.

    Drawings with few levels have coefficients on lattices too, but without anything about them.
    """
    step = np.maximum(table, 1)
    count = np.rint(spectra / step)
    rest = spectra - step * count
    used = (count != 0) & (table > 1)
    used[:, 0] = False
    used &= np.abs(rest) < 3 * spread
    zeros = (count == 0) & (np.abs(rest) < NEAR * spread)
    zeros[:, 0] = False
    if not chrominance and zeros.sum() >= 50 and rest[zeros].std() < QUIET * spread:
        return False
    if used.sum() < 10:  # steps of 1, which rounding hides nearly: many frequencies must agree
        return bool((nats > 0).sum() >= BROAD)
    return bool(2 / 3 < rest[used].std() / spread < 4 / 3)
