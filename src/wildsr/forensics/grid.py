"""Find the JPEG block grid in a plane, and the quantisation table of its coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wildsr.forensics.lattice import BLOCK, NEAR, STEPS, Array, evidence, on_all_grids
from wildsr.forensics.planes import blocks, windows
from wildsr.forensics.tables import Table, libjpeg_tables

ROUNDING = 0.3  # standard deviation of the coefficients' rounding errors: about 1 / sqrt(12)
LOOSE = 0.6  # the same after a further conversion: other decoders, colour spaces, levels
BLOCKY = 0.04  # excess of vanished coefficients on one grid over most: coded on it
WINDOWS = 144  # used to find the grid
BLOCKS = 1200  # used to find the table
ENOUGH = 30.0  # nats of evidence required; about e^9 combinations of grid and quality are tried
CHOICE = float(np.log(STEPS))  # nats to subtract for choosing the best of 255 steps
CERTAIN = 12.0  # nats by which a single step must exceed CHOICE
SEVERAL = 6  # single steps required for a table that is not libjpeg's
UNLIKE = 0.1  # share of the evidence that may contradict a libjpeg table
BROAD = 24  # frequencies that must support a table with steps of 1 only
QUIET = 0.6  # of ROUNDING; zero coefficients of photos scatter more, those of drawings less
USUAL = 0.5  # nats; prior for qualities that are multiples of 5
Steps = npt.NDArray[np.int64]
_AT = np.arange(BLOCK * BLOCK)


@dataclass(frozen=True)
class Found:
    """A block grid and its quantisation table.

    Attributes:
        phase: row and column of the first whole block, 0 to 7.
        table: 64 steps; 0 if the pixels do not reveal it.
        quality: of libjpeg, if it is a libjpeg table.
        nats: log-likelihood ratio against no JPEG.
        spread: standard deviation of the coefficients around multiples of their steps.
    """

    phase: tuple[int, int]
    table: Table
    quality: int | None
    nats: float
    spread: float = ROUNDING


def grids(plane: Array, clipped: npt.NDArray[np.bool_], chrominance: bool = False) -> list[Found]:
    """All JPEG grids found in a plane (H, W) of integers, best first; empty if it never was JPEG.

    For each of the 64 grid offsets, the evidence (:func:`wildsr.forensics.lattice.evidence`) for
    each step of each frequency is summed up, over the tables of libjpeg and over the best step of
    each frequency. The best few offsets are then examined with many more blocks. If nothing is
    found, but coefficients vanish on one grid far more than on the others, their steps are looked
    for with ``LOOSE`` rounding errors.

    Args:
        plane: integers minus 128.
        clipped: (H, W), pixels that were clipped.
        chrominance: whether to compare with libjpeg's chrominance tables.
    """
    chosen = windows(plane, clipped, WINDOWS)
    if not len(chosen):
        return []
    spectra = on_all_grids(chosen)
    vanished = (np.abs(spectra) < 4 * ROUNDING).mean((0, 2))
    known = libjpeg_tables()[int(chrominance)]
    blocky = vanished.max() - np.median(vanished) > BLOCKY
    for spread in (ROUNDING, LOOSE) if blocky else (ROUNDING,):
        nats = evidence(spectra.reshape(len(chosen), -1), spread, 128).reshape(64, 64, STEPS)
        nats[:, 0] = 0  # the DC coefficient is used later
        by_quality = nats[:, _AT, known - 1].sum(2).max(1)
        by_step = np.maximum(nats.max(2) - CHOICE, 0).sum(1)
        likely = [np.argsort(-score, kind="stable") for score in (by_quality, by_step, vanished)]
        places = dict.fromkeys([*likely[0][:2], *likely[1][:2], *likely[2][:1]])
        phases = [(int(place) // 8, int(place) % 8) for place in places]
        tables = [table_on(plane, clipped, phase, chrominance, spread) for phase in phases]
        found = [table for table in tables if table is not None]
        if found:
            return sorted(found, key=lambda one: -one.nats)
    return []


def table_on(
    plane: Array,
    clipped: npt.NDArray[np.bool_],
    phase: tuple[int, int],
    chrominance: bool = False,
    spread: float = ROUNDING,
) -> Found | None:
    """Find the quantisation table of a plane (H, W) whose grid is known; None without evidence."""
    return table_of(blocks(plane, clipped, phase, BLOCKS), phase, chrominance, spread)


def table_of(
    spectra: Array,
    phase: tuple[int, int],
    chrominance: bool,
    spread: float,
    quality: int | None = None,
) -> Found | None:
    """Find the quantisation table of DCT blocks (n, 64); None if there is too little evidence.

    Args:
        spectra: DCT coefficients of the blocks.
        phase: of the grid, for the result.
        chrominance: whether to compare with libjpeg's chrominance tables.
        spread: standard deviation of coefficients around the multiples of their steps.
        quality: the only one to consider; None: all, and other tables.
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
    return Found(phase, tuple(table.tolist()), quality or None, nats, spread)


def _likeliest(gains: Array, single: float) -> int:
    """The quality with the most evidence, (100, 64), among those without contrary evidence.

    An older coding on the same grid leaves much evidence for its table, and much against it.
    """
    total = gains.sum(1) + (np.arange(1, 101) % 5 == 0) * USUAL
    against = -np.minimum(gains, 0).sum(1)
    sound = (against < 20 + total / 20) & (total > single / 4)
    if sound.any():
        total = np.where(sound, total, -np.inf)
    return 100 - int(total[::-1].argmax())  # the highest of equally likely ones


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
    if used.sum() < 10:  # steps of 1 are nearly hidden by rounding: many frequencies must agree
        return bool((nats > 0).sum() >= BROAD)
    return bool(2 / 3 < rest[used].std() / spread < 4 / 3)
