"""Rounds of a search: simulate around a camera, fit to the photos, repeat around the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from wildsr.calibration.fit import (
    BICUBIC,
    BLOTCH,
    DENOISE,
    LIFT,
    PATCHES,
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
from wildsr.calibration.population import VARIED, explains
from wildsr.calibration.simulate import SharpWindows, simulated
from wildsr.degradation.coding import Coding
from wildsr.network.degrader.physics import HIGHEST, LOWEST, PARAMETERS

RENDERS = 3  # renderings of each sharp window in a round, each by another camera
REACH = (HIGHEST - LOWEST) / 2
RADII = (0.5, 0.25)  # of the rounds after the first, in shares of REACH
SHARPENING = frozenset({SHARPEN})
COLOUR = frozenset({BLOTCH})
PROCESSING = frozenset({SHARPEN, DENOISE, LIFT})  # in-camera processing, as in phones
FURTHER = COLOUR | PROCESSING
OPTIONAL = frozenset({SHAPE, BICUBIC, PATCHES}) | FURTHER


@dataclass(frozen=True)
class Seen:
    """What is known of a group's photos while its common camera is refined.

    Attributes:
        photos: (n, D) statistics of each.
        codings: of each.
        deviations: (n, P) of each photo's camera from the common one.
        jitter: (P,) standard deviation of what varies beside that.
        figures: indices of the statistics that a camera has to explain; None for all.
    """

    photos: Tensor
    codings: Sequence[Coding | None]
    deviations: Tensor
    jitter: Tensor
    figures: Sequence[int] | None = None

    @classmethod
    def alike(cls, photos: Tensor, codings: Sequence[Coding | None]) -> Seen:
        """Photos that are all of one camera."""
        none = torch.zeros(len(codings), len(PARAMETERS))
        return cls(photos, codings, none, none[0])


class Rounds:
    """Fits cameras to photos by simulations around a guess.

    Args:
        sharp: windows to fit with.
        fresh: windows of the same photos to estimate chance differences with.
        random: source of all random numbers.
    """

    def __init__(
        self, sharp: SharpWindows, fresh: SharpWindows, random: np.random.Generator
    ) -> None:
        self.sharp, self.fresh, self.random = sharp, fresh, random

    def solve(
        self, model: Surrogate, seen: Seen, held: Mapping[int, float] = MappingProxyType({})
    ) -> Solution:
        """The camera that explains the photos best, with these parameters held."""
        return solve(model, seen.photos, len(self.sharp), held, seen.figures)

    def near(
        self,
        camera: Tensor,
        parts: frozenset[int],
        seen: Seen,
        radii: Sequence[float],
        known: Mapping[int, float] = MappingProxyType({}),
        best: Solution | None = None,
    ) -> Solution:
        """The best camera around this one, in rounds of these radii, in shares of ``REACH``.

        Optional parts that are not among ``parts`` stay as they are, and so do those ``known``. A
        round counts unless it explains the photos clearly worse than one before it, or than
        ``best``: it may have led astray.
        """
        held = {i: float(camera[i]) for i in OPTIONAL - parts} | dict(known)
        for share in radii:
            model = self.around(camera, REACH * share, seen, parts)
            solution = self.solve(model, seen, held)
            if best is None or solution.chi2 < best.chi2 + WORTH / 2:
                best = solution
            camera = best.camera
        assert best is not None
        return best

    def best(self, model: Surrogate, seen: Seen, parts: frozenset[int] = frozenset()) -> Solution:
        """Optional parts as they are; with these if they explain much that is not explained."""
        held = {i: float(model.centre[i]) for i in OPTIONAL}
        plain = self.solve(model, seen, held | dict.fromkeys(FURTHER, 0.0))
        if not parts or explains(plain):
            return plain
        further = self.solve(model, seen, {i: held[i] for i in OPTIONAL - parts})
        return further if plain.chi2 - further.chi2 > WORTH else plain

    def around(
        self,
        centre: Tensor,
        radius: Tensor,
        seen: Seen,
        parts: frozenset[int] = frozenset(),
    ) -> Surrogate:
        """The model around the population ``centre + deviations``, with these optional parts."""
        count = len(self.sharp) * RENDERS
        source = self.random.integers(len(seen.codings), size=count)
        photo = torch.from_numpy(source)
        normal, place = torch.zeros(count, len(radius)), torch.zeros(count, len(radius))
        # Only what varies is drawn: parts that are off do not change the result.
        free = [i for i in range(len(radius)) if i not in OPTIONAL - parts]
        drawn = self.random.standard_normal((count, len(VARIED)))
        normal[:, VARIED] = torch.from_numpy(drawn).float()
        drawn = self.random.uniform(-1, 1, (count, len(free)))
        place[:, free] = torch.from_numpy(drawn).float()
        around = centre + seen.deviations[photo] + seen.jitter * normal
        cameras = (around + place * radius).clamp(LOWEST, HIGHEST)
        index = torch.arange(len(self.sharp)).repeat(RENDERS)
        own = [seen.codings[i] for i in source]
        shown = simulated(self.sharp, index, cameras, own, self.random)
        also = _coarseness(seen.codings)[photo]
        return surrogate(centre, radius, (cameras - around) / radius, shown, RENDERS, also)

    def differences(self, model: Surrogate, camera: Tensor, seen: Seen) -> tuple[Tensor, Tensor]:
        """Each photo's deviation from the common camera, and what varies beside it."""
        source = self.random.integers(len(seen.codings), size=len(self.fresh))
        own = [seen.codings[i] for i in source]
        cameras = camera.expand(len(source), -1)
        index = torch.arange(len(source))
        alike = simulated(self.fresh, index, cameras, own, self.random)
        coarse = _coarseness(seen.codings) @ model.beside
        alike = alike - coarse[torch.from_numpy(source)]
        return shrunk(*deviations_of(model, camera, seen.photos - coarse, alike, VARIED))


def _coarseness(codings: Sequence[Coding | None]) -> Tensor:
    """Each photo's coarseness of coding minus the mean, (n, 1); (n, 0) if all have the same."""
    values = torch.tensor([0.0 if c is None else c.coarseness for c in codings])[:, None]
    values = values - values.mean()
    return values if values.abs().max() > 0.1 else values[:, :0]
