"""Recognise photos that were WebP and are stored without loss now, by what explains them."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from wildsr.calibration.doubt import BELIEVED
from wildsr.calibration.fit import Solution
from wildsr.calibration.rounds import RADII, Rounds, Seen
from wildsr.degradation.coding import WebPCoding

COLOURS = 3  # channels of a photo with colours, which WebP has
USUAL, OTHERS = 60, (15, 30, 45, 75, 90)  # qualities
FINE = 8  # between the best of them and its neighbours
LESS = 0.5  # share of chi^2 that must be left with the usual quality, for others to be tried


def webp_behind(
    rounds: Rounds, start: Tensor, seen: Seen, solution: Solution
) -> tuple[Solution, WebPCoding] | None:
    """Find the camera and the WebP quality that explain photos which no camera alone explains.

    WebP's loop filter removes the grid that JPEG leaves, so no photo shows it by itself. But colour
    at half the resolution and blocks without texture are found in no camera's photos, so that the
    statistics of a folder are explained with WebP or not at all.

    Args:
        rounds: fits cameras.
        start: (P,) the camera to search from, with ordinary noise.
        seen: the photos, without a coding.
        solution: the best camera without one.

    Returns:
        None if there is none; of photos other than 8-bit RGB always.
    """
    if rounds.sharp.deep or rounds.sharp.spectra.shape[1] != COLOURS:
        return None

    def fitted(quality: int, camera: Tensor, radius: float) -> Solution:
        coded = replace(seen, codings=[WebPCoding(quality)] * len(seen.codings))
        return rounds.near(camera, frozenset(), coded, [radius])

    found = {USUAL: fitted(USUAL, start, RADII[0])}
    if found[USUAL].chi2 > LESS * solution.chi2:
        return None
    found |= {quality: fitted(quality, start, RADII[0]) for quality in OTHERS}
    near = min(found, key=lambda quality: found[quality].chi2)
    camera = found[near].camera
    finer = {q: fitted(q, camera, RADII[1]) for q in (near - FINE, near, near + FINE)}
    best = min(finer, key=lambda quality: finer[quality].chi2)
    if finer[best].unexplained > BELIEVED:
        return None
    return finer[best], WebPCoding(best)
