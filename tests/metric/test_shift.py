"""The best shift: found whatever it is, and what is measured there."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from wildsr.error import UserError
from wildsr.metric.fidelity import psnr
from wildsr.metric.kind import Couple, Setting, TooSmall
from wildsr.metric.panel import Panel
from wildsr.metric.shift import aligned, best_shift, shift_psnr
from wildsr.pixels import round8

SETTING = Setting("rgb", 0)


def photo(size=(40, 47), seed=0):
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=20)
@given(down=st.integers(-4, 4), right=st.integers(-4, 4), border=st.integers(0, 3))
def test_a_shifted_image_is_found(down, right, border):
    large = photo((48, 55))
    hr = large[..., 4:-4, 4:-4]
    sr = large[..., 4 - down : 44 - down, 4 - right : 51 - right]
    assert best_shift(sr, hr) == (down, right)
    found = Panel("rgb", border, ["shift_psnr", "shift_ssim", "psnr"]).measure(sr, hr)
    assert found["shift_psnr"] == math.inf
    assert found["shift_ssim"] == pytest.approx(1)
    assert (found["psnr"] == math.inf) == (down == right == 0)


def test_the_least_difference_of_all_81():
    hr = photo()
    sr = (hr.roll((2, -1), (2, 3)) + 0.3 * photo(seed=1)).clamp(0, 1)
    inner = hr[..., 4:-4, 4:-4]
    errors = {
        (down, right): (sr[..., 4 + down : 36 + down, 4 + right : 43 + right] - inner)
        .square()
        .mean()
        for down in range(-4, 5)
        for right in range(-4, 5)
    }
    best = min(errors, key=errors.get)
    assert best == (2, -1) == best_shift(sr, hr)
    x, y = aligned(sr, hr)
    assert torch.equal(y, inner)
    assert (x - y).square().mean() == errors[best]


def test_never_below_the_unshifted_inner_part():
    hr, sr = photo(), photo(seed=3)
    inner = psnr(sr[..., 4:-4, 4:-4], hr[..., 4:-4, 4:-4], 0, "rgb").item()
    assert shift_psnr(SETTING).measure(Couple(sr, hr, SETTING)) >= inner


def test_ssim_is_scikit_images_at_that_shift():
    large = photo((48, 55))
    hr = large[..., 4:-4, 4:-4]
    sr = (large[..., 3:-5, 6:-2] + 0.1 * photo(seed=5)).clamp(0, 1)
    x, y = (
        round8(i)[0].permute(1, 2, 0).numpy() for i in (sr[..., 5:37, 2:41], hr[..., 4:36, 4:43])
    )
    expected = structural_similarity(
        y,
        x,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1,
    )
    found = Panel("rgb", 0, ["shift_ssim"]).measure(sr, hr)["shift_ssim"]
    assert best_shift(round8(sr), round8(hr)) == (1, -2)
    assert found == pytest.approx(expected, abs=1e-6)


def test_mistakes():
    small = photo((8, 30))
    with pytest.raises(TooSmall, match="needs 9 x 9 pixels, but got 8 x 30"):
        shift_psnr(SETTING).measure(Couple(small, small, SETTING))
    with pytest.raises(UserError, match=r"less than half of 8 x 30 pixels, but got 4"):
        best_shift(small, small)
