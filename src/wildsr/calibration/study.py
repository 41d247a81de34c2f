"""Measure one group of photos: simulate, fit, and simulate again around the result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from wildsr.calibration.doubt import (
    BELIEVED,
    BLUR,
    COARSE,
    CORRELATION,
    GRAY,
    NOISE,
    by_edges,
    doubt,
    doubtful,
    without_texture,
)
from wildsr.calibration.fit import (
    BICUBIC,
    BLOTCH,
    DENOISE,
    FEWEST,
    LIFT,
    SHAPE,
    SHARPEN,
    WORTH,
    Solution,
    Surrogate,
    deviations_of,
    shrunk,
    solve,
    surrogate,
)
from wildsr.calibration.population import (
    STRETCH,
    VARIED,
    Group,
    evidence,
    explains,
    near_bicubic,
    rows_of,
    with_few,
)
from wildsr.calibration.simulate import SharpWindows, simulated
from wildsr.calibration.statistics import NAMES
from wildsr.degradation.coding import Coding
from wildsr.network.degrader.physics import HIGHEST, LOWEST, PARAMETERS, PRIOR

RENDERS = 3  # renderings of each sharp window in a round, each by another camera
REACH = (HIGHEST - LOWEST) / 2
RADII = (0.5, 0.25)  # of the rounds after the first, in shares of REACH
FINER = (0.25, 0.15, 0.15)  # where the start is near: JPEG's answer to noise is no parabola
LENS, MOTION = (
    2.5,
    3.5,
)  # ratio of the blur's two widths: largest of a lens, smallest of motion
SHARPENING = frozenset({SHARPEN})
PLATEAU = frozenset({SHAPE})  # a disc, a box
COLOUR = frozenset({BLOTCH})
PROCESSING = frozenset({SHARPEN, DENOISE, LIFT})  # in-camera processing, as in phones
FURTHER = COLOUR | PROCESSING
OPTIONAL = frozenset({SHAPE, BICUBIC}) | FURTHER
# Optional parts in the order in which they are tried, each if the misfit exceeds its limit: less
# flexible parts first.
GROWTH = ((SHARPENING, 1.0), (PLATEAU, 0.7), (COLOUR, 0.7), (PROCESSING, 0.8), (FURTHER, 0.8))
DENOISED = 0.75  # start value of the denoising
# The square root of 4 pi: noise that a Gaussian of standard deviation c has filtered, of variance 1
# again, has this times c the amplitude of white noise at the lowest frequencies.
LOW_GAIN = math.sqrt(4 * math.pi)
SHOT = PARAMETERS.index("shot")
UNSEEN = [PARAMETERS.index(n) for n in ("shot", "correlation", "gray")]


@dataclass(frozen=True)
class Seen:
    """What is known of a group's photos while its common camera is refined.

    Attributes:
        photos: (n, D) statistics of each.
        codings: of each.
        deviations: (n, P) of each photo's camera from the common one.
        jitter: (P,) standard deviation of what varies beside that.
    """

    photos: Tensor
    codings: Sequence[Coding | None]
    deviations: Tensor
    jitter: Tensor


class Study:
    """Measures groups of photos with common simulations.

    Args:
        sharp: windows to fit with.
        fresh: windows of the same photos to estimate chance differences with.
        random: source of all random numbers.
    """

    def __init__(
        self, sharp: SharpWindows, fresh: SharpWindows, random: np.random.Generator
    ) -> None:
        self.sharp, self.fresh, self.random = sharp, fresh, random

    def start(self, photos: Tensor, codings: Sequence[Coding | None]) -> Tensor:
        """A first guess of the camera (P,), from a surrogate over the whole parameter range.

        Args:
            photos: (n, D) statistics.
            codings: of each photo.
        """
        alike = torch.zeros(len(codings), len(PARAMETERS))
        middle = (LOWEST + HIGHEST) / 2
        middle[list(OPTIONAL - SHARPENING)] = 0.0
        model = self._around(middle, REACH, alike, alike[0], codings, SHARPENING)
        return self._best(model, photos).camera

    def measure(self, start: Tensor, photos: Tensor, codings: Sequence[Coding | None]) -> Group:
        """Measure the cameras of photos (n, D) with these codings, starting from a guess (P,)."""
        deviations = torch.zeros(len(codings), len(PARAMETERS))
        jitter = deviations[0]
        wide = self._around(start, REACH * RADII[0], deviations, jitter, codings, SHARPENING)
        centre = self._best(wide, photos, SHARPENING).camera
        parts = SHARPENING if centre[SHARPEN] != 0 else frozenset()  # or they trade off
        deviations, jitter = self._differences(wide, centre, photos, codings)
        centre[SHAPE] = shape_of(centre)
        model = self._around(centre, REACH * RADII[1], deviations, jitter, codings, parts)
        solution = self._best(model, photos, parts)
        seen = Seen(photos, codings, deviations, jitter)
        solution = self._plainer(solution, parts, seen)
        solution = self._with_more(solution, parts, seen)
        share = 0.0
        bicubic = solution
        if len(photos) < FEWEST or near_bicubic(solution):
            bicubic = self._as_bicubic(solution.camera, jitter, photos, codings)
            share = evidence(bicubic, solution)
        solution = without_texture(solution, photos, codings)
        bicubic = without_texture(bicubic, photos, codings)
        chosen = bicubic if share > 0.5 else solution
        group = Group(
            *rows_of(solution, deviations, jitter),
            chosen,
            chosen.chi2 / len(NAMES),
            doubt(chosen.chi2 / len(NAMES)),
            with_few(share, len(photos)),
        )
        order = torch.from_numpy(self.random.permutation(len(group.cameras)))
        group.replace(order[: round(group.bicubic * len(order))], bicubic)
        doubted = order[: round(group.doubt * len(order))]
        if len(doubted):
            near = self._best(wide, photos)  # within reach of the model
            edges = by_edges(wide, near, photos, len(self.sharp))
            group.cameras[doubted] = doubtful(edges, self.sharp, len(doubted))
            group.jitter[doubted] = 0.0
        group.cameras.clamp_(LOWEST, HIGHEST)
        return group

    def _plainer(
        self,
        solution: Solution,
        parts: frozenset[int],
        seen: Seen,
    ) -> Solution:
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
        white = self._near(camera, parts, seen, FINER, held)
        return white if white.chi2 < solution.chi2 + WORTH / 2 else solution

    def _with_more(
        self,
        solution: Solution,
        parts: frozenset[int],
        seen: Seen,
    ) -> Solution:
        """With further parts, where something is not explained and they explain much of it.

        What phones do beside is taken in only where it explains the photos: it can bend to anything
        a little, and what no part explains must be seen to be unexplained.
        """
        for more, limit in GROWTH:
            grown = parts | more
            if grown == parts or solution.chi2 <= len(NAMES) * limit:
                continue
            further = self._grown(solution.camera, grown, seen)
            enough = BELIEVED * len(NAMES) if DENOISE in grown else math.inf
            if further.chi2 < min(solution.chi2 - WORTH, enough):
                solution, parts = further, grown
        return solution

    def _grown(
        self,
        camera: Tensor,
        parts: frozenset[int],
        seen: Seen,
    ) -> Solution:
        """The best camera with further parts, from one without: both of its last two rounds."""
        camera, unseen = camera.clone(), DENOISE in parts and camera[DENOISE] == 0
        for part in parts:
            if camera[part] == 0:
                camera[part] = HIGHEST[part] / 3
        if unseen:  # what is left of noise is coarse and even; what it was, is not
            camera[DENOISE] = DENOISED
            camera[UNSEEN] = PRIOR[UNSEEN]
            camera[NOISE] += 0.5
        radii = (RADII[0], *RADII) if unseen else RADII
        return self._near(camera, parts, seen, radii)

    def _near(
        self,
        camera: Tensor,
        parts: frozenset[int],
        seen: Seen,
        radii: Sequence[float],
        known: Mapping[int, float] = MappingProxyType({}),
    ) -> Solution:
        """The best camera around this one, in rounds of these radii, in shares of ``REACH``.

        Optional parts that are not among ``parts`` stay as they are, and so do those ``known``.
        """
        for share in radii:
            model = self._around(
                camera, REACH * share, seen.deviations, seen.jitter, seen.codings, parts
            )
            held = {i: float(camera[i]) for i in OPTIONAL - parts} | dict(known)
            solution = solve(model, seen.photos, len(self.sharp), held)
            camera = solution.camera
        return solution

    def _as_bicubic(
        self, camera: Tensor, jitter: Tensor, photos: Tensor, codings: Sequence[Coding | None]
    ) -> Solution:
        """The noise of photos that bicubic downscaling made, should it have made them."""
        centre = camera.clone()
        centre[BLUR] = PRIOR[BLUR]
        centre[list(OPTIONAL)], centre[BICUBIC] = 0.0, 1.0
        alike = torch.zeros(len(codings), len(PARAMETERS))
        model = self._around(centre, REACH * RADII[0], alike, jitter * 0, codings)
        held = {i: float(centre[i]) for i in (*BLUR, *OPTIONAL)}
        return solve(model, photos, len(self.sharp), held)

    def _best(
        self, model: Surrogate, photos: Tensor, parts: frozenset[int] = frozenset()
    ) -> Solution:
        """Optional parts as they are; with these if they explain much that is not explained."""
        held = {i: float(model.centre[i]) for i in OPTIONAL}
        plain = solve(model, photos, len(self.sharp), held | dict.fromkeys(FURTHER, 0.0))
        if not parts or explains(plain):
            return plain
        held = {i: float(model.centre[i]) for i in OPTIONAL - parts}
        further = solve(model, photos, len(self.sharp), held)
        return further if plain.chi2 - further.chi2 > WORTH else plain

    def _around(
        self,
        centre: Tensor,
        radius: Tensor,
        deviations: Tensor,
        jitter: Tensor,
        codings: Sequence[Coding | None],
        parts: frozenset[int] = frozenset(),
    ) -> Surrogate:
        """The model around the population ``centre + deviations``, with these optional parts."""
        count = len(self.sharp) * RENDERS
        source = self.random.integers(len(codings), size=count)
        normal = torch.from_numpy(self.random.standard_normal((count, len(radius)))).float()
        place = torch.from_numpy(self.random.uniform(-1, 1, (count, len(radius)))).float()
        place[:, list(OPTIONAL - parts)] = 0.0
        around = centre + deviations[torch.from_numpy(source)] + jitter * normal
        cameras = (around + place * radius).clamp(LOWEST, HIGHEST)
        index = torch.arange(len(self.sharp)).repeat(RENDERS)
        own = [codings[i] for i in source]
        shown = simulated(self.sharp, index, cameras, own, self.random)
        also = _coarseness(codings)[torch.from_numpy(source)]
        return surrogate(centre, radius, (cameras - around) / radius, shown, RENDERS, also)

    def _differences(
        self, model: Surrogate, camera: Tensor, photos: Tensor, codings: Sequence[Coding | None]
    ) -> tuple[Tensor, Tensor]:
        """Each photo's deviation from the common camera, and what varies beside it."""
        source = self.random.integers(len(codings), size=len(self.fresh))
        own = [codings[i] for i in source]
        cameras = camera.expand(len(source), -1)
        index = torch.arange(len(source))
        alike = simulated(self.fresh, index, cameras, own, self.random)
        coarse = _coarseness(codings) @ model.beside
        alike = alike - coarse[torch.from_numpy(source)]
        return shrunk(*deviations_of(model, camera, photos - coarse, alike, VARIED))


def _coarseness(codings: Sequence[Coding | None]) -> Tensor:
    """Each photo's JPEG coarseness minus the mean, (n, 1); (n, 0) where it is the same for all."""
    values = torch.tensor([0.0 if c is None else c.coarseness for c in codings])[:, None]
    values = values - values.mean()
    return values if values.abs().max() > 0.1 else values[:, :0]


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
