"""Displaced channels are found as far apart as they lie, behind JPEG as well, and in no others."""

import numpy as np
import pytest
import torch
from support.coded import clean
from torch.nn import functional as F

from wildsr.calibration.fringes import measure_fringes
from wildsr.calibration.simulate import BORDER, SharpWindows
from wildsr.degradation.bicubic import downscale
from wildsr.degradation.coding import JPEGCoding, coded_each
from wildsr.degradation.fringes import NONE, Fringes, places
from wildsr.network.degrader.physics import PRIOR, kernels
from wildsr.pixels import floats_of, in_unit

SCALE = 2
HR = [clean(name, 512) for name in ("astronaut", "coffee", "chelsea")]


def taken(moved=(0.0, 0.0), radial=0.0, coding=None, deep=False):
    """Parts of the HR photos made smaller, red displaced by LR pixels, blue the other way."""
    torch.manual_seed(0)
    for photo in HR:
        for top, left in ((0, 0), (20, 30), (9, 61), (40, 5), (3, 90)):
            part = floats_of(np.ascontiguousarray(photo[top : top + 296, left : left + 360]))
            high, wide = part.shape[2:]
            y, x = torch.meshgrid(torch.arange(high) + 0.5, torch.arange(wide) + 0.5, indexing="ij")
            half = (high**2 + wide**2) ** 0.5 / 2
            for channel, sign in ((0, 1), (2, -1)):
                right = sign * SCALE * (moved[0] + radial * (x - wide / 2) / half)
                down = sign * SCALE * (moved[1] + radial * (y - high / 2) / half)
                at = torch.stack([2 * (x - right) / wide - 1, 2 * (y - down) / high - 1], -1)[None]
                plane = part[:, channel : channel + 1]
                part[:, channel : channel + 1] = F.grid_sample(
                    plane, at, "bicubic", "border", align_corners=False
                )
            lr = downscale(part, SCALE)
            lr = (lr + 0.01 * torch.randn_like(lr)).clamp(0, 1)
            if coding is not None:
                lr = coded_each(lr, [coding], [(0, 0)])
            made = lr[0].permute(1, 2, 0).numpy()
            yield made if deep else (made * 255).round().astype(np.uint8)


def measured(photos, coding=None):
    photos = list(photos)
    return measure_fringes(photos, [coding] * len(photos), HR, SCALE)


@pytest.mark.parametrize("coding", [None, JPEGCoding.libjpeg(60)])
def test_aligned_channels_have_none(coding):
    assert measured(taken(coding=coding), coding) == NONE


@pytest.mark.parametrize("deep", [False, True])
def test_a_displacement(deep):
    found = measured(taken((0.6, -0.4), deep=deep))
    assert found.moved[0] == pytest.approx((0.6, -0.4), abs=0.1)
    assert found.moved[1] == (0, 0)
    assert found.moved[2] == pytest.approx((-0.6, 0.4), abs=0.1)
    assert found.magnified == (0, 0, 0)


def test_a_displacement_behind_jpeg_is_found_whole():
    coding = JPEGCoding.libjpeg(75)
    found = measured(taken((0.6, -0.4), coding=coding), coding)
    assert found.moved[0] == pytest.approx((0.6, -0.4), abs=0.12)
    assert found.moved[2] == pytest.approx((-0.6, 0.4), abs=0.12)


def test_lateral_chromatic_aberration():
    found = measured(taken(radial=0.8))
    assert found.magnified[0] == pytest.approx(0.8, abs=0.2), "three scenes"
    assert found.magnified[2] == pytest.approx(-0.8, abs=0.2)
    assert found.moved == ((0, 0),) * 3


def test_bands_of_other_sensors():
    photos = [np.concatenate([photo, photo[..., :1]], 2) for photo in taken((0.6, 0.0))]
    sharp = [np.concatenate([photo, photo[..., :1]], 2) for photo in HR]
    found = measure_fringes(photos, [None] * len(photos), sharp, SCALE)
    assert found.moved[2] == (0, 0), "the middle one of four"
    for band in (0, 3):
        assert found.moved[band] == pytest.approx((1.2, 0.0), abs=0.15)


def test_photos_without_colours_or_content_have_none():
    gray = [np.repeat(photo[..., 1:2], 3, 2) for photo in taken()]
    assert measured(gray) == NONE
    assert measured([photo[..., :1] for photo in gray]) == NONE
    assert measured([np.full((64, 64, 3), 77, np.uint8)] * 20) == NONE
    assert measured([np.zeros((20, 20, 3), np.uint8)]) == NONE, "smaller than a piece"


def test_channels_that_show_different_things_have_none():
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(4)]
    assert measured(noise) == NONE


def test_small_sharp_photos_show_it_or_nothing_does():
    photos = list(taken((0.6, 0.0)))
    for side, seen in ((100, True), (60, False)):
        small = [photo[:side, :side] for photo in HR]
        found = measure_fringes(photos, [None] * len(photos), small, SCALE)
        assert bool(found) == seen


def test_windows_are_displaced_as_kernels_displace_them():
    random = np.random.default_rng(0)
    side = (32 + 2 * BORDER) * SCALE
    photo = random.integers(0, 256, (side, side, 3), np.uint8)
    windows = SharpWindows([photo], 2, SCALE, 32, random)
    fringes = Fringes(((0.5, -0.25), (0.0, 0.0), (0.0, 0.0)), (0.3, 0.0, -0.6))
    windows.displace(fringes)
    cameras = PRIOR.repeat(2, 1)
    cameras[:, 0] = 0.0  # as wide as an LR pixel
    shown = windows.blurred(torch.arange(2), cameras)
    sharp = in_unit(torch.from_numpy(photo).permute(2, 0, 1)[None])
    moved = fringes.at(places(2))
    for channel in range(3):
        taps = kernels(cameras, SCALE, moved[:, channel])
        for window in range(2):
            plane = sharp[:, channel : channel + 1]
            padded = F.pad(plane, [16] * 4, "circular")
            plain = F.conv2d(padded, taps[window][None, None], stride=SCALE)
            first = (plain.shape[-1] - side // SCALE) // 2
            inner = slice(first + BORDER, first + BORDER + 32)
            assert torch.allclose(shown[window, channel], plain[0, 0, inner, inner], atol=2e-3)
