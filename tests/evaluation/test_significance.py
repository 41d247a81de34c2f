"""Intervals and tests against enumeration by hand."""

from itertools import product

import numpy as np
import pytest

from wildsr.evaluation.significance import difference, interval


def test_the_sign_flip_test_is_the_enumeration_of_all_signs():
    gaps = [0.3, 0.1, 0.2, -0.05, 0.4, 0.2]
    mean = sum(gaps)
    signs = product([1, -1], repeat=len(gaps))
    as_far = [abs(sum(s * g for s, g in zip(sign, gaps, strict=True))) >= mean for sign in signs]
    found = difference(gaps, [0.0] * 6, seed=0)
    assert found.p == pytest.approx(np.mean(as_far))
    assert found.mean == pytest.approx(mean / 6)
    assert found.images == 6


def test_the_least_p_of_n_images():
    for count in (2, 3, 6):
        found = difference([1.0 + i / 10 for i in range(count)], [0.0] * count, seed=0)
        assert found.p == pytest.approx(2 / 2**count)


def test_swapping_the_rows_turns_the_sign_and_keeps_p():
    generator = np.random.default_rng(1)
    a, b = generator.normal(1, 1, 30), generator.normal(1.2, 1, 30)
    one, other = difference(a, b, seed=0), difference(b, a, seed=0)
    assert one.mean == -other.mean
    assert one.p == pytest.approx(other.p, abs=0.02)
    assert one == difference(a, b, seed=0), "the same seed, the same figures"


def test_the_interval_of_a_normal_sample_is_near_the_textbook_one():
    sample = np.random.default_rng(0).normal(10, 2, 200)
    half = 1.96 * sample.std() / 200**0.5
    low, high = interval(sample, seed=0)
    assert (low, high) == pytest.approx((sample.mean() - half, sample.mean() + half), abs=0.05)


def test_intervals_hold_the_truth_as_often_as_they_say():
    generator = np.random.default_rng(3)
    held = 0
    for seed in range(40):
        low, high = interval(generator.normal(0, 1, 40), seed)
        held += low <= 0 <= high
    assert 33 <= held <= 40  # 95 % of 40 is 38; fewer than 33 has a chance of 1 in 1000


def test_what_has_no_interval():
    assert interval([1.0], 0) is None
    assert interval([1.0, float("inf")], 0) is None
    assert interval([2.0, 2.0], 0) == (2.0, 2.0)
    assert difference([], [], 0) is None
    assert difference([float("inf")] * 2, [1.0, 2.0], 0) is None
    single = difference([2.0], [1.0], 0)
    assert (single.mean, single.low, single.p) == (1.0, None, 1.0)
    assert difference([1.0, 2.0], [1.0, 2.0], 0).p == 1
