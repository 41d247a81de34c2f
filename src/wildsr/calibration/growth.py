"""Optional parts of a camera: taken in where something is not explained and they explain it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from wildsr.calibration.doubt import BELIEVED, NOISE
from wildsr.calibration.fit import DENOISE, PATCHES, SHAPE, WORTH, Solution
from wildsr.calibration.rounds import (
    COLOUR,
    OPTIONAL,
    PROCESSING,
    RADII,
    REACH,
    SHARPENING,
    Rounds,
    Seen,
)
from wildsr.network.degrader.physics import HIGHEST, PARAMETERS, PRIOR

PLATEAU = frozenset({SHAPE})  # a disc, a box
UNSEEN = [PARAMETERS.index(n) for n in ("shot", "correlation", "gray")]


class More(NamedTuple):
    """Optional parts, and the misfit above which they are tried."""

    parts: frozenset[int]
    limit: float


# In the order in which they are tried: less flexible parts first.
SMOOTH = (More(SHARPENING, 1.0), More(PLATEAU, 0.7), More(COLOUR, 0.7))
OF_LUMA = SMOOTH[:2]  # those that luma alone can show
UNFINISHED = 1.0  # misfit above which in-camera processing is tried
FINISHED = 0.8  # and above which, beside it, coarse noise in colour is
MUCH = 1.5 * WORTH  # by which chi^2 must fall for it: its parts are four
DENOISED = 0.75  # start value of the denoising
NOISY = math.log(4.0)  # and of noise that somebody thought worth it, at least


def with_smooth(
    rounds: Rounds,
    solution: Solution,
    parts: frozenset[int],
    seen: Seen,
    growth: Sequence[More] = SMOOTH,
) -> tuple[Solution, frozenset[int]]:
    """With further parts that one model can tell apart, as their effect grows evenly.

    A part is taken where something is not explained and it explains much of that; first by one
    model with all of them, then with the chosen ones alone.
    """
    if solution.unexplained <= min(more.limit for more in growth):
        return solution, parts
    possible = parts.union(*(more.parts for more in growth))
    model = rounds.around(begun(solution.camera, possible), REACH * RADII[0], seen, possible)
    held = {i: float(solution.camera[i]) for i in OPTIONAL}
    chosen, best = parts, solution
    for more in growth:
        grown = chosen | more.parts
        if grown == chosen or best.unexplained <= more.limit:
            continue
        further = rounds.solve(model, seen, {i: held[i] for i in OPTIONAL - grown})
        if further.chi2 < best.chi2 - WORTH:
            chosen, best = grown, further
    if chosen == parts:
        return solution, parts
    further = rounds.near(best.camera, chosen, seen, RADII)
    better = further.chi2 < solution.chi2 - WORTH
    return (further, chosen) if better else (solution, parts)


def with_processing(
    rounds: Rounds, solution: Solution, parts: frozenset[int], seen: Seen
) -> Solution:
    """With what phones do beside, where something is not explained.

    Both kinds of denoising are tried, and the better one is refined. It is taken only where it
    explains the photos: it can bend to anything a little, and what no part explains must be
    seen to be unexplained.
    """
    if solution.unexplained <= UNFINISHED:
        return solution
    parts |= PROCESSING
    camera = begun(solution.camera, parts)
    camera[DENOISE] = DENOISED
    camera[UNSEEN] = PRIOR[UNSEEN]  # what is left of noise is coarse and even; what it was, not
    camera[NOISE] = max(float(camera[NOISE]) + 0.5, NOISY)
    found = []
    for patches in (0.0, 1.0):
        camera[PATCHES] = patches
        found.append(rounds.near(camera, parts, seen, RADII[:1]))
    best = min(found, key=lambda one: one.chi2)
    best = rounds.near(best.camera, parts, seen, RADII, best=best)
    if best.unexplained > FINISHED:
        camera = begun(best.camera, parts | COLOUR)
        further = rounds.near(camera, parts | COLOUR, seen, RADII)
        if further.chi2 < best.chi2 - WORTH:
            best = further
    taken = best.chi2 < min(solution.chi2 - MUCH, BELIEVED * best.count)
    return best if taken else solution


def begun(camera: Tensor, parts: frozenset[int]) -> Tensor:
    """A camera (P,) to search these optional parts from: those that are off begin a little on."""
    camera = camera.clone()
    for part in parts:
        if camera[part] == 0:
            camera[part] = HIGHEST[part] / 3
    return camera
