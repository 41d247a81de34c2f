import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wildsr.data.demo import photo
from wildsr.degradation.flat import flat_patches
from wildsr.error import UserError

SIDE = 16


def found(photos, flat=0.2, calm=0.1, most=512, side=SIDE):
    return flat_patches(photos, side, flat, calm, most, torch.Generator().manual_seed(0))


def noisy(sharp, level, seed=0):
    """A photo with white Gaussian noise of this level in 1/255."""
    noise = np.random.default_rng(seed).normal(0, level, sharp.shape)
    return np.clip(np.round(sharp.astype(float) + noise), 0, 255).astype(np.uint8)


def plain(level, size=(64, 64)):
    return np.full((*size, 3), level, np.uint8)


def std(patches):
    """Of the noise in them, each channel of each patch less its mean."""
    return patches.double().var((2, 3)).mean().sqrt().item()


@pytest.mark.parametrize("level", [5, 8])
def test_known_noise_on_real_photos_comes_back(level):
    """The noise to 15 %, what is injected, with the rest of the content, to 25 %.

    The photos are half as large as they were, and their own noise and texture is 1.4/255.
    """
    names = ("astronaut", "coffee", "chelsea")
    sharp = [photo(name)[: n // 2 * 2, : m // 2 * 2] for name in names for n, m in [(300, 400)]]
    small = [x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, 3).mean((1, 3)) for x in sharp]
    flat = found([noisy(x, level, seed) for seed, x in enumerate(small)])
    assert len(flat.patches) >= 20
    assert not flat.structured
    assert std(flat.patches) == pytest.approx(level, rel=0.25)
    assert flat.noise.mean().item() == pytest.approx(level, rel=0.15)


def test_texture_is_not_taken_for_noise():
    """Half of the squares are as flat once blurred, but five times as rough."""
    calm, rough = noisy(plain(100), 4), noisy(plain(180), 20)
    flat = found([calm, rough])
    assert flat.photos == 1
    assert std(flat.patches) == pytest.approx(4, rel=0.1)
    assert flat.noise_limit < 6


def test_noise_that_grows_with_brightness_is_taken_at_each():
    flat = found(
        [noisy(plain(40), 3), noisy(plain(100), 4), noisy(plain(200), 6)], flat=1, calm=0.3
    )
    means = flat.patches.float().mean((1, 2, 3)).round(decimals=-1)
    assert flat.photos == 3
    for level, expected in ((40, 3), (100, 4), (200, 6)):
        assert std(flat.patches[means == level]) == pytest.approx(expected, rel=0.1)


def test_content_is_left_out():
    ramp = np.linspace(40, 200, 64)[None, :, None] + np.zeros((64, 64, 3))
    flat = found([noisy(plain(100), 4), noisy(ramp, 4)], flat=1)
    assert flat.photos == 1
    assert flat.content_limit < 2
    assert not flat.structured


def test_where_all_is_structure_the_flattest_is_taken_and_said():
    ramp = np.linspace(40, 200, 64)[None, :, None] + np.zeros((64, 64, 3))
    flat = found([noisy(ramp, 2)])
    assert flat.structured
    assert len(flat.patches) >= 1


def test_counts_by_hand():
    # 16 pixels every 8: 7 x 7 places in 64 x 64; those next to the white half are not flat
    half = noisy(plain(100), 3)
    half[:, 32:] = 255
    flat = found([half, plain(9, (10, 40))], flat=1, calm=1)
    assert (flat.windows, flat.looked_at) == (49, 1)
    assert flat.clipped == 7 * 4  # columns at 24, 32, 40, 48; that at 16 ends at 32
    assert 7 <= flat.found == len(flat.patches) <= 14
    assert (flat.content.diff() >= 0).all(), "the flattest first"


def test_patches_are_what_is_there():
    image = noisy(plain(100, (16, 40)), 5)
    flat = found([image], flat=1, calm=1)
    places = {image[:, x : x + 16].tobytes() for x in range(0, 25, 8)}
    assert {p.permute(1, 2, 0).numpy().tobytes() for p in flat.patches} <= places


def test_of_too_many_a_random_choice():
    image = noisy(plain(100, (128, 128)), 5)
    whole = found([image], flat=1, calm=1)
    few = found([image], flat=1, calm=1, most=10)
    assert (len(few.patches), few.found) == (10, whole.found)
    again = found([image], flat=1, calm=1, most=10)
    assert torch.equal(few.patches, again.patches)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.integers(0, 99))
def test_something_is_always_found_or_one_sentence_said(height, width, side, seed):
    image = np.random.default_rng(seed).integers(1, 255, (height, width, 3), np.uint8)
    if min(height, width) < side:
        with pytest.raises(UserError, match=rf"at least {side}x{side} pixels"):
            found([image], side=side)
        return
    flat = found([image], side=side)
    assert 1 <= len(flat.patches) == min(flat.found, 512)
    assert flat.patches.shape[1:] == (3, side, side)


def test_black_photos_are_refused():
    with pytest.raises(UserError, match=r"not all black or white.* all of its 49 squares are"):
        found([plain(0)])
