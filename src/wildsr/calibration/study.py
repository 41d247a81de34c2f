"""One group of photos: simulate, fit, simulate again around what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wildsr.calibration.doubt import BLUR, EXPLAINED, by_edges, doubt, doubtful
from wildsr.calibration.fit import (
    BICUBIC,
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
from wildsr.calibration.simulate import SharpWindows, simulated
from wildsr.calibration.statistics import NAMES
from wildsr.degradation.coding import Coding
from wildsr.network.degrader.physics import HIGHEST, LOWEST, PARAMETERS, PRIOR

RENDERS = 3  # cameras that each sharp window is rendered by in a round
REACH = (HIGHEST - LOWEST) / 2
RADII = (0.5, 0.25)  # of the rounds after the first, in shares of REACH
LENS, MOTION = (
    2.5,
    3.5,
)  # ratio of the blur's widths: the most that a lens does, the least of motion
STRETCH = [PARAMETERS.index(n) for n in ("stretch_x", "stretch_d")]
VARIED = [PARAMETERS.index(n) for n in ("width", "stretch_x", "stretch_d", "noise")]


@dataclass
class Group:
    """What was measured of some photos that may be of one camera.

    Attributes:
        cameras: (n, P), to draw from: one for each photo (all alike where they agree), but for the
            share ``doubt`` of them, which stand for what was not explained.
        jitter: (n, P) standard deviation of what differs from photo to photo and was not resolved,
            and of the measurement.
        solution: the common camera, its errors and misfits.
        misfit: mean squared difference of photos and model in standard errors; about 1 or less
            where the model explains the photos.
        doubt: share, 0 to 1.
    """

    cameras: Tensor
    jitter: Tensor
    solution: Solution
    misfit: float
    doubt: float


class Study:
    """Sharp windows, and the codings and the generator that cameras are simulated with."""

    def __init__(
        self, sharp: SharpWindows, fresh: SharpWindows, random: np.random.Generator
    ) -> None:
        self.sharp, self.fresh, self.random = sharp, fresh, random

    def start(self, photos: Tensor, codings: Sequence[Coding | None]) -> Tensor:
        """The camera (P,) that is found when anything is possible."""
        alike = torch.zeros(len(codings), len(PARAMETERS))
        middle = (LOWEST + HIGHEST) / 2
        middle[[SHAPE, BICUBIC]] = 0.0
        model = self._around(middle, REACH, alike, alike[0], codings)
        return self._best(model, photos, False).camera

    def measure(self, start: Tensor, photos: Tensor, codings: Sequence[Coding | None]) -> Group:
        """The cameras of photos (n, D) with these codings, from near a first guess (P,)."""
        deviations = torch.zeros(len(codings), len(PARAMETERS))
        jitter = deviations[0]
        wide = self._around(start, REACH * RADII[0], deviations, jitter, codings)
        centre = self._best(wide, photos, True).camera
        sharpens = bool(centre[SHARPEN] != 0)  # or it is not looked for: parts trade off
        deviations, jitter = self._differences(wide, centre, photos, codings)
        centre[SHAPE] = shape_of(centre)
        model = self._around(centre, REACH * RADII[1], deviations, jitter, codings)
        solution = self._best(model, photos, sharpens)
        if solution.chi2 > len(NAMES) * EXPLAINED and not sharpens:
            grown = self._sharpened(solution.camera, deviations, jitter, photos, codings)
            solution = grown if grown.chi2 < solution.chi2 - WORTH else solution
        if _near_bicubic(solution.camera):
            bicubic = self._as_bicubic(solution.camera, jitter, photos, codings)
            explains = bicubic.chi2 < len(NAMES) * EXPLAINED
            if explains and bicubic.chi2 < solution.chi2 + WORTH:
                solution, deviations = bicubic, deviations * 0
        cameras = (solution.camera + deviations).clamp(LOWEST, HIGHEST)
        error = torch.zeros(len(PARAMETERS))
        error[VARIED] = solution.error[VARIED]
        jitters = torch.sqrt(jitter.square() + error.square()).expand(len(codings), -1).clone()
        misfit = solution.chi2 / len(NAMES)
        share = doubt(misfit)
        replaced = round(share * len(codings))
        if replaced:
            near = self._best(wide, photos, False)  # within reach of the model
            edges = by_edges(wide, near, photos, len(self.sharp))
            places = torch.from_numpy(self.random.permutation(len(codings))[:replaced])
            cameras[places], jitters[places] = doubtful(edges, self.sharp, replaced), 0.0
        return Group(cameras, jitters, solution, misfit, share)

    def _sharpened(
        self,
        camera: Tensor,
        deviations: Tensor,
        jitter: Tensor,
        photos: Tensor,
        codings: Sequence[Coding | None],
    ) -> Solution:
        """The best camera that sharpens, from one that does not: both of their last two rounds."""
        camera = camera.clone()
        camera[SHARPEN] = HIGHEST[SHARPEN] / 3
        for share in RADII:
            model = self._around(camera, REACH * share, deviations, jitter, codings)
            held = {i: float(camera[i]) for i in (SHAPE, BICUBIC)}
            solution = solve(model, photos, len(self.sharp), held)
            camera = solution.camera
        return solution

    def _as_bicubic(
        self, camera: Tensor, jitter: Tensor, photos: Tensor, codings: Sequence[Coding | None]
    ) -> Solution:
        """The noise of photos that bicubic downscaling made, should it have made them."""
        centre = camera.clone()
        centre[BLUR] = PRIOR[BLUR]
        centre[[SHARPEN, SHAPE]], centre[BICUBIC] = 0.0, 1.0
        alike = torch.zeros(len(codings), len(PARAMETERS))
        model = self._around(centre, REACH * RADII[0], alike, jitter * 0, codings)
        held = {i: float(centre[i]) for i in (*BLUR, SHARPEN, SHAPE, BICUBIC)}
        return solve(model, photos, len(self.sharp), held)

    def _best(self, model: Surrogate, photos: Tensor, sharpens: bool) -> Solution:
        """The shape as it is; with sharpening if it may be, and explains much that is not."""
        held = {i: float(model.centre[i]) for i in (SHAPE, BICUBIC)}
        plain = solve(model, photos, len(self.sharp), held | {SHARPEN: 0.0})
        if not sharpens or plain.chi2 < len(NAMES) * EXPLAINED:
            return plain
        sharpened = solve(model, photos, len(self.sharp), held)
        return sharpened if plain.chi2 - sharpened.chi2 > WORTH else plain

    def _around(
        self,
        centre: Tensor,
        radius: Tensor,
        deviations: Tensor,
        jitter: Tensor,
        codings: Sequence[Coding | None],
    ) -> Surrogate:
        """The model around the population ``centre + deviations``."""
        count = len(self.sharp) * RENDERS
        source = self.random.integers(len(codings), size=count)
        normal = torch.from_numpy(self.random.standard_normal((count, len(radius)))).float()
        place = torch.from_numpy(self.random.uniform(-1, 1, (count, len(radius)))).float()
        place[:, [SHAPE, BICUBIC]] = 0.0
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


def _near_bicubic(camera: Tensor) -> bool:
    """Whether a blur is about as wide as that of bicubic downscaling, in all directions."""
    width = float((camera[0] - PRIOR[0]).abs())
    return width < 0.35 and float(torch.linalg.vector_norm(camera[STRETCH])) < 0.35


def _coarseness(codings: Sequence[Coding | None]) -> Tensor:
    """(n, 1) of each photo's coding around the mean; (n, 0) where all are alike."""
    values = torch.tensor([0.0 if c is None else c.coarseness for c in codings])[:, None]
    values = values - values.mean()
    return values if values.abs().max() > 0.1 else values[:, :0]


def shape_of(camera: Tensor) -> float:
    """The blur's shape, which statistics hardly tell: that of motion where it is very elongated.

    Lenses make blurs that are up to twice as long as wide, and bell-shaped enough; what is four
    times as long as wide is the path of a moving camera, and ends abruptly.
    """
    elongation = float(torch.linalg.vector_norm(camera[STRETCH]).exp())
    share = (math.log(elongation) - math.log(LENS)) / (math.log(MOTION) - math.log(LENS))
    return min(max(share, 0.0), 1.0) * float(HIGHEST[SHAPE])
