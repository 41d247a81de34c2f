"""Impulses and stripes are found as strong as they are, in nothing else, and taken out."""

import numpy as np
import pytest
import torch
from support.coded import clean

from wildsr.calibration.defects import measure_defects, without_defects
from wildsr.degradation.bicubic import downscale
from wildsr.degradation.defects import SOUND, Defects, draw_defects, spoiled
from wildsr.pixels import floats_of

SCALE = 2
HR = [clean(name, 500) for name in ("astronaut", "coffee", "chelsea")]


def small():
    """Clean photos: parts of the HR ones, made smaller."""
    for photo in HR:
        for top, left in ((0, 0), (20, 30), (9, 61)):
            part = np.ascontiguousarray(photo[top:, left:])
            height, width = (length // SCALE * SCALE for length in part.shape[:2])
            yield downscale(floats_of(part[:height, :width].copy()), SCALE).clamp(0, 1)


def taken(defects, noise=0.0, deep=False):
    torch.manual_seed(0)
    for image in small():
        noisy = image + noise * torch.randn_like(image)
        made = spoiled(noisy, defects, draw_defects(image)).clamp(0, 1)[0].permute(1, 2, 0).numpy()
        yield made if deep else (made * 255).round().astype(np.uint8)


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.06])
def test_a_sound_sensor_has_none_however_noisy(noise):
    assert measure_defects(list(taken(SOUND, noise)), HR, SCALE) == SOUND


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("together", [0.1, 0.95])
def test_impulses(together, deep):
    photos = list(taken(Defects(0.03, together), 0.01, deep))
    found = measure_defects(photos, HR, SCALE)
    assert found.impulses == pytest.approx(0.03, rel=0.15)
    assert found.together == pytest.approx(together, abs=0.08)
    assert set(np.round(found.values, 1)) == {0.0, 1.0}
    assert (found.rows, found.columns) == (0.0, 0.0)


def test_hot_pixels_are_bright():
    found = measure_defects(list(taken(Defects(0.01, 0.0, (0.9, 1.0)))), HR, SCALE)
    assert found.impulses == pytest.approx(0.01, rel=0.2)
    assert min(found.values) > 0.85


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize(("rows", "columns"), [(4.0, 0.0), (0.0, 3.0), (3.0, 6.0)])
def test_stripes(rows, columns, noise):
    given = Defects(rows=rows / 255, columns=columns / 255)
    found = measure_defects(list(taken(given, noise)), HR, SCALE)
    assert 255 * found.rows == pytest.approx(rows, rel=0.2)
    assert 255 * found.columns == pytest.approx(columns, rel=0.2)
    assert found.impulses == 0.0


@pytest.mark.parametrize("given", [Defects(0.03, 0.9), Defects(rows=5 / 255, columns=3 / 255)])
@pytest.mark.parametrize("deep", [False, True])
def test_what_is_left_without_them(given, deep):
    spoilt, sound = list(taken(given, 0.0, deep)), list(taken(SOUND, 0.0, deep))
    left = [without_defects(photo, given) for photo in spoilt]
    before, after = (  # slow changes from row to row remain: they look like the scene
        np.mean(
            [
                np.abs(np.diff(a.astype(float) - b, axis=axis)).mean()
                for a, b in zip(some, sound, strict=True)
                for axis in (0, 1)
            ]
        )
        for some in (spoilt, left)
    )
    assert after < 0.35 * before
    assert all(photo.dtype == spoilt[0].dtype for photo in left)
    again = measure_defects(left, HR, SCALE)
    assert again.impulses < 0.005
    assert max(again.rows, again.columns) < 1.2 / 255


def test_photos_too_small_to_tell_show_none():
    tiny = [np.zeros((2, 5, 3), np.uint8), np.full((3, 3, 1), 9, np.uint8)]
    assert measure_defects(tiny, HR, SCALE) == SOUND
    for few in ([HR[0][:5, :5]], [HR[0][:5]], []):  # of no use as scenes
        assert measure_defects(list(taken(SOUND)), few, SCALE) == SOUND
    assert without_defects(tiny[0], Defects(0.1)) is tiny[0]


def test_a_single_photo_must_show_more_than_any_scene():
    for photo in taken(SOUND):
        assert measure_defects([photo], HR, SCALE) == SOUND
    found = measure_defects([next(taken(Defects(0.05, rows=12 / 255)))], HR, SCALE)
    assert found.impulses == pytest.approx(0.05, rel=0.3)
    assert 255 * found.rows == pytest.approx(12, rel=0.3)
