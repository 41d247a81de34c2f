"""Detect an older, coarser JPEG coding before the last one (double JPEG)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from wildsr.forensics.grid import ROUNDING, USUAL, WINDOWS, Found
from wildsr.forensics.lattice import ASTRAY, BLOCK, STEPS, STRAY, Array, evidence, on_all_grids
from wildsr.forensics.planes import Planes, blocks, windows
from wildsr.forensics.tables import libjpeg_tables

ENOUGH = 60.0  # nats of evidence required
COARSER = 1.25  # least ratio of the geometric means of the steps
_ALL = np.arange(BLOCK * BLOCK)
_REACH = 128  # larger magnitudes are left out: they occur in few frequencies
_SPREADS = ROUNDING * 1.25 ** np.arange(24)


def read_older(planes: Planes, last: Found) -> Found | None:
    """Find the older coding of a photo whose last coding is known, among libjpeg's tables.

    On other grids than the last one's, the last quantisation is nearly normal noise, of variance
    t^2 / 12 for step t. On the last grid itself (Fridrich and Lukas 2003; Bianchi and Piva 2012),
    multiples of the older step fall into some of the last one's cells and leave others empty.

    Returns:
        The older grid and table, or None without enough evidence.
    """
    table = np.array(last.table)
    if not (table > 0).all():
        return None
    known = libjpeg_tables()[0]
    coarser = np.log(known / table).mean(1) > np.log(COARSER)
    if not coarser.any():
        return None
    chosen = windows(planes.luma, planes.clipped, WINDOWS)
    if not len(chosen):
        return None
    spectra = on_all_grids(chosen)
    here = BLOCK * last.phase[0] + last.phase[1]
    off = _off_grid(spectra.reshape(len(chosen), -1), table)
    by_quality = off[:, _ALL, known[coarser] - 1].sum(2)
    score = by_quality.max(1)
    score[here] = -np.inf
    best: Found | None = None
    places = [*np.argsort(-score)[:2], here]
    for place in places:
        y, x = divmod(int(place), BLOCK)
        found = blocks(planes.luma, planes.clipped, (y, x), 1200)
        if not len(found):
            continue
        each = _on_grid(found, table) if place == here else _off_grid(found, table)[0]
        totals = np.where(coarser, each[_ALL[1:], known[:, 1:] - 1].sum(1), -np.inf)
        totals += (np.arange(1, 101) % 5 == 0) * USUAL
        quality = 100 - int(totals[::-1].argmax())
        nats = float(totals[quality - 1])
        if nats > ENOUGH and (best is None or nats > best.nats):
            best = Found((y, x), tuple(known[quality - 1].tolist()), quality, nats)
    return best


def _off_grid(coefficients: Array, table: np.ndarray) -> Array:
    """(n, grids * 64) to (grids, 64, 255)."""
    grids = coefficients.shape[1] // 64
    shaped = coefficients.reshape(len(coefficients), grids, 64)
    spread = np.sqrt(ROUNDING**2 + table**2 / 12)
    nearest = np.abs(np.log(_SPREADS[:, None] / spread)).argmin(0)
    out = np.zeros((grids, 64, STEPS), np.float32)
    for at in np.unique(nearest):
        used = np.flatnonzero(nearest == at)
        part = shaped[:, :, used].reshape(len(coefficients), -1)
        out[:, used] = evidence(part, float(_SPREADS[at]), _REACH).reshape(grids, len(used), STEPS)
    return out


def _on_grid(spectra: Array, table: np.ndarray) -> Array:
    """(n, 64) of the last grid to (64, 255)."""
    cells = np.rint(np.abs(spectra) / table).astype(np.int64)
    out = np.zeros((64, STEPS), np.float32)
    for step in np.unique(table):
        gain = _cell_gains(int(step))
        for at in np.flatnonzero(table == step):
            counts = np.bincount(cells[:, at][cells[:, at] < len(gain)], minlength=len(gain))
            out[at] = counts @ gain
    return out


@lru_cache(maxsize=256)
def _cell_gains(step: int) -> Array:
    """(cells, 255): log-likelihood of a multiple of ``step`` if it was one of 1 ... 255 before."""
    magnitude = step * np.arange(_REACH // step + 1, dtype=np.float64)[:, None]
    before = np.arange(1, STEPS + 1, dtype=np.float64)
    rest = magnitude - before * np.rint(magnitude / before)
    inside = sum(
        ndtr((rest + m * before + step / 2) / ROUNDING)
        - ndtr((rest + m * before - step / 2) / ROUNDING)
        for m in range(-2, 3)
    )
    gain = np.log((1 - STRAY) * inside * before / step + STRAY)
    gain[:, before <= step] = 0
    near = np.log((1 - ASTRAY) * (magnitude <= step / 2) + ASTRAY)
    return np.where(magnitude >= before / 2, gain, np.minimum(near, 0)).astype(np.float32)
