"""A classifier that finds differences that are there, and none that are not."""

import pytest
import torch

from wildsr.loss.local_features import CROP, local_features
from wildsr.metric.statistic.two_sample import separation, two_sample


def photos(count, shift, seed, scene=1.0, crops=20, features=5):
    """Features of crops: a scene of each photo, what differs from crop to crop, and a shift."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        own = scene * torch.randn(1, features, generator=generator, dtype=torch.float64)
        crop = torch.randn(crops, features, generator=generator, dtype=torch.float64)
        made.append(own + crop + shift)
    return made


def test_sets_of_one_origin_are_told_as_by_guessing():
    found = two_sample(photos(16, 0, 1), photos(16, 0, 2))
    assert found.accuracy < found.chance
    assert found.low < 0.5 < found.high + 0.05
    assert found.p_value > 0.05
    assert found.halves == pytest.approx(0.5, abs=0.1)


def test_what_differs_in_every_photo_is_told():
    found = two_sample(photos(12, 0, 1, scene=0.1), photos(12, 4, 2, scene=0.1))
    assert found.accuracy > 0.99
    assert found.p_value == pytest.approx(1 / 201)


def test_the_separation_grows_where_the_accuracy_no_longer_does():
    """A shift of s along all five features is sqrt(5) s deviations, or more by hidden ones."""
    sets = [photos(24, shift, 2, scene=0.1, crops=60) for shift in (0, 4, 8)]
    real = photos(24, 0, 1, scene=0.1, crops=60)
    none, far, farther = (two_sample(real, one) for one in sets)
    assert far.accuracy > 0.999
    assert farther.accuracy > 0.999
    assert abs(none.separation) < 0.2
    assert separation(real, sets[1]) == far.separation
    assert 0.9 * 4 * 5**0.5 < far.separation < farther.separation / 1.2


def test_knowing_a_photo_again_is_no_use():
    """Scenes are far apart and crops of one are alike: folds that mix them would tell all."""
    real, fake = photos(12, 0, 1, scene=30), photos(12, 0, 2, scene=30)
    found = two_sample(real, fake)
    assert found.accuracy < found.chance


@pytest.mark.heavy
def test_the_chance_is_that_of_false_alarms(monkeypatch):
    monkeypatch.setattr("wildsr.metric.statistic.two_sample.SHUFFLES", 60)
    monkeypatch.setattr("wildsr.metric.statistic.two_sample.HALVINGS", 1)
    monkeypatch.setattr("wildsr.metric.statistic.two_sample.HIDDEN", 8)
    alarms = 0
    for seed in range(20):
        found = two_sample(photos(6, 0, 2 * seed, crops=6), photos(8, 0, 2 * seed + 1, crops=6))
        alarms += found.accuracy > found.chance
    assert alarms <= 4  # 1 expected of 20; more than 4 has a probability of 0.3 %


def test_it_is_the_same_for_the_same_seed(monkeypatch):
    monkeypatch.setattr("wildsr.metric.statistic.two_sample.SHUFFLES", 20)
    real, fake = photos(5, 0, 1), photos(6, 0.3, 2)
    assert two_sample(real, fake, 3) == two_sample(real, fake, 3)


def test_halves_need_photos():
    found = two_sample(photos(3, 0, 1), photos(3, 0, 2))
    assert found.halves is None


def test_features_are_blind_to_brightness_and_slow_shading():
    generator = torch.Generator().manual_seed(0)
    noise = 3 * torch.randn(3, 3 * CROP, 2 * CROP, generator=generator, dtype=torch.float64)
    plain = local_features(120 + noise)
    assert plain.shape[0] == 6
    ramp = torch.linspace(-10, 10, 2 * CROP, dtype=torch.float64)
    shaded = local_features(120 + noise + ramp)
    # Energies of second differences and of what is finer do not change.
    assert torch.allclose(plain[:, 6:18], shaded[:, 6:18], atol=0.02)
    brighter = local_features(150 + noise)
    assert torch.allclose(plain[:, :-2], brighter[:, :-2])
    noisier = local_features(120 + 2 * noise)
    assert (noisier[:, :18] > plain[:, :18] + 1).all()
