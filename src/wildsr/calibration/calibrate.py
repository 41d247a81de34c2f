"""The cameras of a folder of photos, measured before anything is trained."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wildsr.calibration.doubt import GRAY
from wildsr.calibration.groups import by_coding
from wildsr.calibration.sensor import sensor_noise
from wildsr.calibration.simulate import BORDER, Photo, SharpWindows, cut
from wildsr.calibration.statistics import NAMES, WINDOW, statistics
from wildsr.calibration.study import Group, Study
from wildsr.degradation.coding import Coding
from wildsr.error import UserError
from wildsr.network.degrader.measured import POPULATION, QUIET, SensorNoise
from wildsr.network.degrader.physics import HIGHEST, LOWEST
from wildsr.pixels import floats_of

WINDOWS = 150  # of sharp photos
SMALLER = (WINDOW, 48, 32)  # LR pixels; sides of a window, the smaller where photos are


@dataclass
class Calibration:
    """What was measured.

    Attributes:
        groups: of photos coded alike, each with its cameras.
        members: indices of the photos of each group; photos too small for a window are in none.
        codings: of all photos.
        seconds: of processor time.
        sensor: the black level and the channels' noise; of 8-bit gray and RGB nothing.
    """

    groups: list[Group]
    members: list[list[int]]
    codings: list[Coding | None]
    seconds: float
    sensor: SensorNoise = QUIET

    def population(
        self, count: int = POPULATION, seed: int = 0
    ) -> tuple[Tensor, list[Coding | None]]:
        """Cameras (count, P) to be drawn evenly, and the coding that goes with each.

        One photo after the other, with what was not resolved of it drawn at random.
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
        """For each group the figures that differ most, in standard errors."""
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
) -> Calibration:
    """Adjust cameras until their pictures of ``hr`` show the statistics of ``lr``.

    The method of simulated moments (McFadden 1989), with a quadratic surrogate of the moments
    (after Wood 2010, "Statistical inference for noisy nonlinear ecological dynamic systems")
    refitted in three rounds of shrinking radius. Because pictures are compared with pictures, coded
    alike, the bias of every statistic cancels. A function of its arguments: two calls find the
    same.

    Args:
        lr: real photos (H, W, C): uint8, or floats in [0, 1] of sensors of more than 8 bits.
        codings: theirs, each as the file was coded last; None for photos that were never JPEG.
        hr: sharp photos of anything.
        scale: HR pixels for each LR pixel.
        seed: of all draws.

    Raises:
        UserError: no photo of one side is large enough for a window.
    """
    begun = time.process_time()
    random = np.random.default_rng(seed)
    window = _window(lr, hr, scale)
    chosen = [i for i, photo in enumerate(lr) if min(photo.shape[:2]) >= window]
    own = [codings[i] for i in chosen]
    photos = torch.stack([_shown(lr[i], window, len(chosen), random) for i in chosen])
    sharp, fresh = (SharpWindows(hr, WINDOWS, scale, window, random) for _ in range(2))
    sensor = QUIET
    if sharp.deep or lr[0].shape[2] not in (1, 3):
        sensor = sensor_noise([floats_of(lr[i])[0] for i in chosen])
        sharp.sensor = fresh.sensor = sensor
    study = Study(sharp, fresh, random)
    start = study.start(photos, own)
    parts = by_coding(own)
    groups = [study.measure(start, photos[part], [own[i] for i in part]) for part in parts]
    if lr[0].shape[2] == 1:  # whose noise is shared with no other channel
        for group in groups:
            group.cameras[:, GRAY] = group.jitter[:, GRAY] = group.solution.camera[GRAY] = 0.0
    members = [[chosen[i] for i in part] for part in parts]
    return Calibration(groups, members, list(codings), time.process_time() - begun, sensor)


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
