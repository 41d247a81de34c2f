"""Measure one group of photos: which parts of a camera its photos need, in a fixed order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from wildsr.calibration.doubt import (
    BELIEVED,
    BLUR,
    COARSE,
    CORRELATION,
    EXPLAINED,
    GRAY,
    NOISE,
    WIDTH,
    by_edges,
    doubt,
    doubtful,
    without_texture,
)
from wildsr.calibration.fit import (
    BICUBIC,
    FEWEST,
    SHAPE,
    SHARPEN,
    WORTH,
    Solution,
    Surrogate,
)
from wildsr.calibration.growth import OF_LUMA, with_processing, with_smooth
from wildsr.calibration.population import (
    NOISES,
    STRETCH,
    Group,
    evidence,
    explains,
    near_bicubic,
    rows_of,
    with_few,
)
from wildsr.calibration.rounds import (
    OPTIONAL,
    RADII,
    REACH,
    SHARPENING,
    Rounds,
    Seen,
)
from wildsr.calibration.statistics import NAMES
from wildsr.calibration.webp import webp_behind
from wildsr.degradation.coding import Coding
from wildsr.network.degrader.physics import HIGHEST, LOWEST, PARAMETERS, PRIOR

FINER = (0.25, 0.15, 0.15)  # where the start is near: JPEG's answer to noise is no parabola
FAR = (RADII[0], *RADII)  # where it is far
COLOURS = [i for i, name in enumerate(NAMES) if name.startswith(("quiet blue", "quiet red"))]
LUMA = [i for i in range(len(NAMES)) if i not in COLOURS]
FAINT = math.log(1.5)  # noise, 1/255, of which JPEG leaves nothing
AGREEMENT = 0.2  # difference of log blur widths up to which edges and spectrum agree
LENS, MOTION = 2.5, 3.5  # ratio of the blur's two widths: largest of a lens, smallest of motion
# The square root of 4 pi: noise that a Gaussian of standard deviation c has filtered, of variance 1
# again, has this times c the amplitude of white noise at the lowest frequencies.
LOW_GAIN = math.sqrt(4 * math.pi)
SHOT = PARAMETERS.index("shot")


class Study:
    """Measures groups of photos with common simulations.

    Args:
        rounds: fits cameras around a guess.
    """

    def __init__(self, rounds: Rounds) -> None:
        self.rounds = rounds

    def start(self, photos: Tensor, codings: Sequence[Coding | None]) -> Tensor:
        """A first guess of the camera (P,), from a surrogate over the whole parameter range.

        Args:
            photos: (n, D) statistics.
            codings: of each photo.
        """
        seen = Seen.alike(photos, codings)
        middle = (LOWEST + HIGHEST) / 2
        middle[list(OPTIONAL - SHARPENING)] = 0.0
        model = self.rounds.around(middle, REACH, seen, SHARPENING)
        return self.rounds.best(model, seen).camera

    def measure(self, start: Tensor, photos: Tensor, codings: Sequence[Coding | None]) -> Group:
        """Measure the cameras of photos (n, D) with these codings, starting from a guess (P,)."""
        seen = Seen.alike(photos, codings)
        wide = self.rounds.around(start, REACH * RADII[0], seen, SHARPENING)
        centre = self.rounds.best(wide, seen, SHARPENING).camera
        parts = SHARPENING if centre[SHARPEN] != 0 else frozenset()  # or they trade off
        deviations, jitter = self.rounds.differences(wide, centre, seen)
        centre[SHAPE] = shape_of(centre)
        seen = replace(seen, deviations=deviations, jitter=jitter)
        model = self.rounds.around(centre, REACH * RADII[1], seen, parts)
        solution = self.rounds.best(model, seen, parts)
        solution = self._plainer(solution, parts, seen)
        if solution.unexplained > EXPLAINED and noise_hidden(solution, codings):
            solution, parts = self._from_usual_noise(solution, parts, seen)
        coloured = float(photos[:, COLOURS].std()) > 0
        if not explains(solution) and coloured and not any(codings):
            webp = webp_behind(self.rounds, self._of_luma(wide, seen), seen, solution)
            if webp is not None:
                own = [webp[1]] * len(codings)
                return replace(self.measure(webp[0].camera, photos, own), coding=webp[1])
        solution, parts = with_smooth(self.rounds, solution, parts, seen)
        solution = with_processing(self.rounds, solution, parts, seen)
        if solution.unexplained > BELIEVED and coloured:
            solution, seen = self._by_luma(solution, wide, seen)
        share, worse = 0.0, 0.0
        bicubic = solution
        if len(photos) < FEWEST or near_bicubic(solution):
            bicubic = self._as_bicubic(solution.camera, seen)
            share, worse = evidence(bicubic, solution), bicubic.chi2 - solution.chi2
        solution = without_texture(solution, photos, codings)
        bicubic = without_texture(bicubic, photos, codings)
        chosen = bicubic if share > 0.5 else solution
        group = Group(
            *rows_of(solution, deviations, jitter),
            chosen,
            chosen.unexplained,
            doubt(chosen.unexplained),
            with_few(share, len(photos), worse),
            worse,
        )
        order = torch.from_numpy(self.rounds.random.permutation(len(group.cameras)))
        group.replace(order[: round(group.bicubic * len(order))], bicubic)
        doubted = order[: round(group.doubt * len(order))]
        if len(doubted):
            near = self.rounds.best(wide, seen)  # within reach of the model
            edges = by_edges(wide, near, photos, len(self.rounds.sharp))
            group.cameras[doubted] = doubtful(edges, self.rounds.sharp, len(doubted))
            group.jitter[doubted] = 0.0
        group.cameras.clamp_(LOWEST, HIGHEST)
        return group

    def _by_luma(self, solution: Solution, wide: Surrogate, seen: Seen) -> tuple[Solution, Seen]:
        """The camera that luma alone shows, if it explains that well and edges confirm its blur.

        Codecs and in-camera processing treat colour in ways of their own. How much of the noise the
        channels share is then what fits the colours best. With the camera comes what it was found
        from.
        """
        luma = replace(seen, figures=LUMA)
        found = self.rounds.near(self._of_luma(wide, seen), frozenset(), luma, FAR)
        if not self._confirmed(found, luma):  # growing takes longer
            return solution, seen
        grown, _ = with_smooth(self.rounds, found, frozenset(), luma, OF_LUMA)
        if not explains(grown) or (grown is not found and not self._confirmed(grown, luma)):
            return solution, seen
        found = grown
        model = self.rounds.around(found.camera, REACH * RADII[1], seen)
        held = {i: float(value) for i, value in enumerate(found.camera) if i != GRAY}
        camera = found.camera.clone()
        camera[GRAY] = self.rounds.solve(model, seen, held).camera[GRAY]
        return replace(found, camera=camera), luma

    def _of_luma(self, wide: Surrogate, seen: Seen) -> Tensor:
        """A camera (P,) to begin with: the blur that luma shows, ordinary noise, no other part."""
        luma = replace(seen, figures=LUMA)
        found = self.rounds.solve(wide, luma, dict.fromkeys(OPTIONAL, 0.0))
        return _with_usual_noise(found.camera)

    def _confirmed(self, found: Solution, seen: Seen) -> bool:
        """Whether the steepest edges show the blur that the spectrum shows."""
        model = self.rounds.around(found.camera, REACH * RADII[0], seen)
        edges = by_edges(model, found, seen.photos, len(self.rounds.sharp))
        return abs(float(edges[WIDTH] - found.camera[WIDTH])) < AGREEMENT

    def _from_usual_noise(
        self, solution: Solution, parts: frozenset[int], seen: Seen
    ) -> tuple[Solution, frozenset[int]]:
        """Try again from ordinary noise: weak noise vanishes in JPEG, where no slope leads out."""
        camera = _with_usual_noise(solution.camera)
        camera[list(OPTIONAL)] = 0.0
        again = self.rounds.near(camera, frozenset(), seen, FAR)
        if again.chi2 < solution.chi2 - WORTH:
            return self._plainer(again, frozenset(), seen), frozenset()
        return solution, parts

    def _plainer(self, solution: Solution, parts: frozenset[int], seen: Seen) -> Solution:
        """Prefer white, independent noise, unless it explains the photos clearly worse.

        JPEG keeps only the low frequencies of noise, where strong white noise looks like weaker
        coarse noise, and the cameras between the two explain neither. So white noise of the same
        power at low frequencies is fitted as well.
        """
        camera = solution.camera.clone()
        if camera[CORRELATION] > COARSE:  # fitted to the wrong noise, so was its shot noise
            camera[SHOT] = PRIOR[SHOT]
        camera[NOISE] += max(math.log(LOW_GAIN * float(camera[CORRELATION])), 0.0)
        camera[CORRELATION], camera[GRAY] = LOWEST[CORRELATION], 0.0
        held = {CORRELATION: float(camera[CORRELATION]), GRAY: 0.0}
        white = self.rounds.near(camera, parts, seen, FINER, held)
        return white if white.chi2 < solution.chi2 + WORTH / 2 else solution

    def _as_bicubic(self, camera: Tensor, seen: Seen) -> Solution:
        """The noise of photos that bicubic downscaling made, should it have made them."""
        centre = camera.clone()
        centre[BLUR] = PRIOR[BLUR]
        centre[list(OPTIONAL)], centre[BICUBIC] = 0.0, 1.0
        alike = replace(Seen.alike(seen.photos, seen.codings), figures=seen.figures)
        model = self.rounds.around(centre, REACH * RADII[0], alike)
        held = {i: float(centre[i]) for i in (*BLUR, *OPTIONAL)}
        return self.rounds.solve(model, alike, held)


def noise_hidden(solution: Solution, codings: Sequence[Coding | None]) -> bool:
    """Whether JPEG leaves so little of a camera's noise that a fit cannot tell more from less."""
    return float(solution.camera[NOISE]) < FAINT and any(coding is not None for coding in codings)


def _with_usual_noise(camera: Tensor) -> Tensor:
    """A camera (P,) with the noise that is the most likely before any photo was seen."""
    camera = camera.clone()
    camera[NOISES] = PRIOR[NOISES]
    return camera


def shape_of(camera: Tensor) -> float:
    """The blur's shape parameter, which statistics hardly show, inferred from its elongation.

    Lens blurs are up to 2.5 times as long as wide, and about bell-shaped; a blur at least 3.5 times
    as long as wide is taken for motion, which has sharp ends.

    Args:
        camera: (P,).
    """
    elongation = float(torch.linalg.vector_norm(camera[STRETCH]).exp())
    share = (math.log(elongation) - math.log(LENS)) / (math.log(MOTION) - math.log(LENS))
    return min(max(share, 0.0), 1.0) * float(HIGHEST[SHAPE])
