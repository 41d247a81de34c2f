"""Measure the cameras of a folder of LR photos."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wildsr.calibration.doubt import GRAY
from wildsr.calibration.groups import by_coding
from wildsr.calibration.rounds import Rounds
from wildsr.calibration.sensor import sensor_noise
from wildsr.calibration.simulate import BORDER, Photo, SharpWindows, cut
from wildsr.calibration.statistics import NAMES, WINDOW, statistics
from wildsr.calibration.study import Group, Study
from wildsr.degradation.coding import Coding
from wildsr.degradation.fringes import NONE, Fringes
from wildsr.error import UserError
from wildsr.network.degrader.measured import POPULATION
from wildsr.network.degrader.physics import HIGHEST, LOWEST
from wildsr.network.degrader.sensor import QUIET, SensorNoise
from wildsr.pixels import floats_of

WINDOWS = 150  # crops of sharp photos that are simulated
SMALLER = (WINDOW, 48, 32)  # LR pixels; sides of a window, the smaller ones for small photos


@dataclass
class Calibration:
    """The result of a calibration.

    Attributes:
        groups: of photos with similar lossy coding, each with its cameras.
        members: indices of the photos of each group; photos too small for a window are in none.
        codings: lossy coding of every photo, also one that was not known before; None without one.
        seconds: processor time it took.
        sensor: the black level and the channels' noise; for 8-bit gray and RGB nothing.
    """

    groups: list[Group]
    members: list[list[int]]
    codings: list[Coding | None]
    seconds: float
    sensor: SensorNoise = QUIET

    def population(
        self, count: int = POPULATION, seed: int = 0
    ) -> tuple[Tensor, list[Coding | None]]:
        """Cameras (count, P), to be drawn with equal probability, and the coding of each.

        They go through the photos in random order; the part of a photo's camera that could not be
        measured is drawn at random.
        """
        cameras = torch.cat([group.cameras for group in self.groups])
        jitter = torch.cat([group.jitter for group in self.groups])
        photos = []  # that of each row
        for group, member in zip(self.groups, self.members, strict=True):
            photos += [i for i in member for _ in range(len(group.cameras) // len(member))]
        random = np.random.default_rng(seed)
        order = [random.permutation(len(photos)) for _ in range(-(-count // len(photos)))]
        chosen = np.concatenate(order)[:count]
        normal = torch.from_numpy(random.standard_normal((len(chosen), cameras.shape[1]))).float()
        places = torch.from_numpy(chosen)
        drawn = (cameras[places] + jitter[places] * normal).clamp(LOWEST, HIGHEST)
        return drawn, [self.codings[photos[i]] for i in chosen]

    @property
    def unexplained(self) -> list[dict[str, float]]:
        """For each group, the statistics that the model misses most, in standard errors."""
        found = []
        for group in self.groups:
            order = group.solution.misfit.abs().argsort(descending=True)[:8].tolist()
            found.append({NAMES[i]: float(group.solution.misfit[i]) for i in order})
        return found


def calibrate(
    lr: Sequence[Photo],
    codings: Sequence[Coding | None],
    hr: Sequence[Photo],
    scale: int,
    seed: int = 0,
    fringes: Fringes = NONE,
) -> Calibration:
    """Find cameras whose simulated images of ``hr`` show the same statistics as ``lr``.

    The method of simulated moments (McFadden 1989), with a quadratic surrogate of the moments
    (after Wood 2010, "Statistical inference for noisy nonlinear ecological dynamic systems")
    refitted in three rounds of shrinking radius. Because simulated photos with the same coding
    are compared with the real ones, the bias of every statistic cancels. Deterministic: the same
    arguments give the same result.

    Args:
        lr: real photos (H, W, C): uint8, or floats in [0, 1] for sensors of more than 8 bits.
        codings: the last lossy coding of each; None for photos that never had one.
        hr: sharp photos of any scenes.
        scale: HR pixels for each LR pixel.
        seed: of all random choices.
        fringes: displacements of the channels, which simulated photos get as well.

    Raises:
        UserError: in one of the folders no photo is large enough for a window.
    """
    begun = time.process_time()
    random = np.random.default_rng(seed)
    window = _window(lr, hr, scale)
    chosen = [i for i, photo in enumerate(lr) if min(photo.shape[:2]) >= window]
    own = [codings[i] for i in chosen]
    photos = torch.stack([_shown(lr[i], window, len(chosen), random) for i in chosen])
    sharp, fresh = (SharpWindows(hr, WINDOWS, scale, window, random) for _ in range(2))
    if fringes:
        sharp.displace(fringes)
        fresh.displace(fringes)
    sensor = QUIET
    if sharp.deep or lr[0].shape[2] not in (1, 3):
        sensor = sensor_noise([floats_of(lr[i])[0] for i in chosen])
        sharp.sensor = fresh.sensor = sensor
    study = Study(Rounds(sharp, fresh, random))
    start = study.start(photos, own)
    parts = by_coding(own)
    groups = [study.measure(start, photos[part], [own[i] for i in part]) for part in parts]
    if lr[0].shape[2] == 1:  # with one channel there is no noise shared between channels
        for group in groups:
            group.cameras[:, GRAY] = group.jitter[:, GRAY] = group.solution.camera[GRAY] = 0.0
    members = [[chosen[i] for i in part] for part in parts]
    found = list(codings)
    for group, member in zip(groups, members, strict=True):
        if group.coding is not None:
            for photo in member:
                found[photo] = group.coding
    return Calibration(groups, members, found, time.process_time() - begun, sensor)


def _window(lr: Sequence[Photo], hr: Sequence[Photo], scale: int) -> int:
    for window in SMALLER:
        fits = sum(min(photo.shape[:2]) >= window for photo in lr)
        sharp = sum(min(photo.shape[:2]) >= (window + 2 * BORDER) * scale for photo in hr)
        enough = fits >= 0.8 * len(lr) and sharp >= min(0.5 * len(hr), 30)
        if enough or (window == SMALLER[-1] and fits and sharp):
            return window
    least = SMALLER[-1], (SMALLER[-1] + 2 * BORDER) * scale
    raise UserError(
        f"To measure a camera, `data.lr` must hold a photo of at least {least[0]}x{least[0]} "
        f"pixels, and `data.hr` one of at least {least[1]}x{least[1]}."
    )


def _shown(photo: Photo, window: int, photos: int, random: np.random.Generator) -> Tensor:
    """Mean statistics of some windows of one photo: more of a large one, and of few photos."""
    room = photo.shape[0] * photo.shape[1] // window**2
    count = max(1, min(room, max(4, 200 // photos)))
    return statistics(cut([photo] * count, window, random)).mean(0)
