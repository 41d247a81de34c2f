"""Measure defects of a sensor directly, and take them out of photos before anything else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from wildsr.calibration.simulate import Photo
from wildsr.degradation.bicubic import downscale
from wildsr.degradation.defects import SOUND, Defects
from wildsr.network.degrader.stored import VALUES
from wildsr.pixels import floats_of, in_unit, rounded

SIDE = 160  # pixels of the middle of a photo that are looked at
QUIET = 0.08  # range of six of eight neighbours up to which they say what a pixel has to be
MIDDLE = (0.16, 0.84)  # brightness at which both black and white can be told
FAR = 0.16  # least distance of an impulse from its neighbours
RARE = 7.0  # standard deviations of a photo's noise that an impulse is away at least
FEW = 0.002  # least share of impulses
FAINT = 0.7 / 255  # least standard deviation of stripes
MANY = 12  # photos, whose median says what scenes show
BEYOND = 5.0  # times what sharp photos show that photos with defects show at least
DAMPED = 0.02  # against division by zero, of frequencies that second differences do not show

Array = npt.NDArray[np.float32]


def measure_defects(lr: Sequence[Photo], hr: Sequence[Photo], scale: int) -> Defects:
    """Find impulses and stripes that the scenes do not explain.

    An impulse differs from eight neighbours that agree. The offset of a row shows in its second
    difference to the rows beside it, which is taken from the left and the right half of the photo:
    what both share is no noise. Sharp photos, made smaller, show what scenes contribute: half of
    them less than is asked of many photos, nearly all of them less than is asked of a single one.

    Args:
        lr: photos (H, W, C) without a lossy coding, uint8 or floats in [0, 1].
        hr: sharp photos of any scenes; those of less than three LR pixels a side are left out.
        scale: HR pixels for each LR pixel.
    """
    photos = [_middle(photo, SIDE) for photo in lr]
    scenes = [_smaller(photo, scale) for photo in hr if min(photo.shape[:2]) >= 3 * scale]
    if not scenes:
        return SOUND
    rows, columns = (_stripes(photos, scenes, axis) for axis in (0, 1))
    share, together, values = _impulses(photos)
    usual = _usual([_impulses([scene])[0] for scene in scenes], len(photos))
    if share < max(FEW, BEYOND * usual):
        share, together, values = 0.0, 1.0, (0.0, 1.0)
    return Defects(share, together, values, rows, columns)


def without_defects(photo: Photo, defects: Defects) -> Photo:
    """The photo as it was without such defects, as far as its pixels tell; of the same type."""
    whole = _floats(photo)
    if min(whole.shape[:2]) < 3 or not defects:
        return photo
    if defects.impulses > 0:
        found = [_outliers(whole[..., c]) for c in range(whole.shape[2])]
        for channel, (hit, _, usual) in enumerate(found):
            inner = whole[1:-1, 1:-1, channel]
            inner[hit] = usual[hit]
    for axis, size in ((0, defects.rows), (1, defects.columns)):
        if size > 0:
            whole -= _offsets(whole.mean(2), axis)[..., None]
    if photo.dtype == np.uint8:
        return rounded(torch.from_numpy(whole)).byte().numpy()
    return whole


def _middle(photo: Photo, side: int) -> Array:
    top, left = (max(length - side, 0) // 2 for length in photo.shape[:2])
    part = photo[top : top + side, left : left + side]
    return _floats(part)


def _floats(photo: Photo) -> Array:
    return in_unit(torch.from_numpy(photo.copy())).numpy()


def _smaller(photo: Photo, scale: int) -> Array:
    part = _middle(photo, SIDE * scale)
    height, width = (length // scale * scale for length in part.shape[:2])
    image = floats_of(np.ascontiguousarray(part[:height, :width]))
    return downscale(image, scale).clamp(0, 1)[0].permute(1, 2, 0).numpy()


def _outliers(plane: Array) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], Array]:
    """Of the inner pixels of a plane: which are impulses, where one would be seen, and the usual.

    The usual value of a pixel is the median of its neighbours.
    """
    height, width = plane.shape
    around = np.stack(
        [
            plane[y : y + height - 2, x : x + width - 2]
            for y in range(3)
            for x in range(3)
            if (y, x) != (1, 1)
        ]
    )
    around = torch.from_numpy(around).sort(0).values.numpy()
    low, high, usual = around[1], around[6], (around[3] + around[4]) / 2
    away = plane[1:-1, 1:-1] - usual
    noise = 1.4826 * float(np.median(np.abs(away)))
    least = max(FAR, RARE * noise)
    inner = plane[1:-1, 1:-1]
    beyond = np.maximum(low - inner, inner - high)
    hit = (np.abs(away) > least) & (beyond > 0.75 * least)
    seen = (high - low < QUIET) & (usual > MIDDLE[0]) & (usual < MIDDLE[1])
    return hit, seen, usual


def _impulses(photos: Sequence[Array]) -> tuple[float, float, tuple[float, ...]]:
    """Share of the values, share of these that all channels have together, and the values."""
    hits, looked, alike, values = 0, 0, 0, []
    for photo in photos:
        if min(photo.shape[:2]) < 3:
            continue
        found = [_outliers(photo[..., channel]) for channel in range(photo.shape[2])]
        seen = np.logical_and.reduce([one[1] for one in found])
        hit = np.stack([one[0] & seen for one in found], -1)
        hits, looked = hits + int(hit.sum()), looked + int(seen.sum()) * photo.shape[2]
        alike += int(hit.all(-1).sum()) * photo.shape[2]
        values.append(photo[1:-1, 1:-1][hit])
    if not hits:
        return 0.0, 1.0, (0.0, 1.0)
    every = np.concatenate(values)
    quantiles = np.quantile(every, (np.arange(VALUES) + 0.5) / VALUES).round(4)
    return hits / looked, alike / hits, tuple(float(value) for value in quantiles)


def _second(plane: Array, axis: int) -> Array:
    """Second difference of each row (or column) to those beside it, median over its pixels."""
    rows = plane if axis == 0 else plane.T
    return np.median(rows[1:-1] - (rows[:-2] + rows[2:]) / 2, axis=1)


def _shared(photo: Array, axis: int) -> float:
    """Variance of second differences that two halves of a photo share, without large ones."""
    plane = photo.mean(2)
    halves = np.array_split(plane, 2, axis=1 - axis)
    if min(min(half.shape) for half in halves) < 8:
        return 0.0
    both = np.stack([_second(half, axis) for half in halves])
    limit = 3 * 1.4826 * np.median(np.abs(both)) + 1e-6
    left, right = both.clip(-limit, limit)
    return float((left * right).mean())


def _stripes(photos: Sequence[Array], scenes: Sequence[Array], axis: int) -> float:
    """Standard deviation of the offsets of rows (0) or columns (1); 0 without a sign of them."""
    variance = float(np.median([_shared(photo, axis) for photo in photos]))
    of_scenes = [_shared(scene, axis) for scene in scenes]
    offset = (variance - max(_usual(of_scenes, MANY), 0.0)) / 1.5
    if variance < BEYOND * _usual(of_scenes, len(photos)) or offset < FAINT**2:
        return 0.0
    return offset**0.5


def _usual(of_scenes: Sequence[float], photos: int) -> float:
    """What so many photos show of a defect at most, if they have none."""
    return float(np.quantile(of_scenes, 1 - 0.5 * min((photos - 1) / (MANY - 1), 1)))


def _offsets(plane: Array, axis: int) -> Array:
    """Each row's offset as far as its second differences tell, as a plane of one column."""
    second = np.pad(_second(plane, axis), 1)
    seen = 1 - np.cos(2 * np.pi * np.fft.rfftfreq(len(second)))
    spectrum = np.fft.rfft(second) * seen / (seen * seen + DAMPED)
    offsets = np.fft.irfft(spectrum, len(second)).astype(np.float32)
    return offsets[:, None] if axis == 0 else offsets[None]
