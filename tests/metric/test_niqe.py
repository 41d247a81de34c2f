"""NIQE with a model of one's own: its statistics, and what it answers to."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.transform import resize as resized

from wildsr.degradation.blur import separable_blur
from wildsr.degradation.jpeg.jpeg import jpeg
from wildsr.degradation.noise import gaussian
from wildsr.metric.kind import TooSmall
from wildsr.metric.niqe import (
    FEATURES,
    asymmetric_gaussian,
    block_statistics,
    compare,
    describe,
    normalise,
)
from wildsr.metric.panel import Panel

PHOTOS = ("astronaut", "coffee", "rocket", "immunohistochemistry", "hubble_deep_field")


def photo(name):
    pixels = np.ascontiguousarray(getattr(data, name)()[:512, :768, :3])
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module")
def sharp():
    """A model of photos made sharper by reduction, in windows of many places."""
    found = []
    for name in PHOTOS:
        for size in ((384, 480), (288, 384)):
            small = resized(photo(name)[0].permute(1, 2, 0).numpy(), size, anti_aliasing=True)
            found.append(describe(torch.from_numpy(small).permute(2, 0, 1)[None].float()))
    return torch.cat(found)


@pytest.fixture(scope="module")
def held_out():
    pixels = resized(data.chelsea(), (288, 384), anti_aliasing=True)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float()


def test_normalised_pixels_are_those_of_another_library():
    gray = torch.from_numpy(data.camera()[100:200, 150:280].astype(float))[None, None]
    found, deviation = normalise(gray)
    options = {"sigma": 7 / 6, "radius": 3, "mode": "nearest"}
    pixels = gray[0, 0].numpy()
    mean = gaussian_filter(pixels, **options)
    spread = np.sqrt(np.abs(gaussian_filter(pixels**2, **options) - mean**2))
    np.testing.assert_allclose(deviation[0, 0], spread, atol=1e-6)
    np.testing.assert_allclose(found[0, 0], (pixels - mean) / (spread + 1), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "left", "right"), [(2.0, 1.0, 1.0), (1.0, 0.5, 2.0), (0.7, 1, 3)]
)
def test_the_fit_finds_what_was_drawn(shape, left, right):
    """Density exp(-(|x| / width) ** shape) with a width for each side."""
    draw = np.random.default_rng(0)
    size = draw.gamma(1 / shape, size=400_000) ** (1 / shape)
    side = draw.random(400_000) < left / (left + right)
    values = torch.from_numpy(np.where(side, -left * size, right * size))[None]
    found = [float(value) for value in asymmetric_gaussian(values)]
    mean = (right - left) * math.gamma(2 / shape) / math.gamma(1 / shape)
    assert found[0] == pytest.approx(shape, rel=0.02)
    assert found[2] == pytest.approx(left, rel=0.04)
    assert found[3] == pytest.approx(right, rel=0.04)
    assert found[1] == pytest.approx(mean, abs=0.03)
    assert float(values.mean()) == pytest.approx(mean, abs=0.03)


def test_statistics_of_a_block_do_not_depend_on_others_and_know_directions():
    blocks = torch.randn(3, 48, 48, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    blocks[1] = blocks[1].cumsum(1) / 5  # neighbours to the right are alike
    found = block_statistics(blocks)
    assert found.shape == (3, FEATURES // 2)
    torch.testing.assert_close(block_statistics(blocks[1:2]), found[1:2])
    right, below = found[1, 3], found[1, 7]  # means of the products
    assert right > below + 0.1
    assert abs(found[0, 3] - found[0, 7]) < 0.1


def test_a_set_is_at_distance_0_of_itself_and_sharp_photos_are_near(sharp, held_out):
    marked = sharp.clone()
    marked[:, -1] = 1
    assert compare(sharp, marked) == pytest.approx(0, abs=1e-6)
    assert compare(describe(held_out), marked) < 0.8 * compare(
        describe(separable_blur(held_out, torch.tensor([1.0]), 13)), marked
    )


@pytest.mark.parametrize(
    "worse",
    [
        [lambda x, s=s: separable_blur(x, torch.tensor([s]), 21) for s in (0.8, 1.6)],
        [
            lambda x, s=s: gaussian(x, s / 255, generators=[torch.Generator().manual_seed(0)])
            for s in (12, 30)
        ],
        [lambda x, q=q: jpeg(x, q) for q in (40.0, 8.0)],
    ],
    ids=["blur", "noise", "jpeg"],
)
def test_blur_noise_and_jpeg_raise_it_the_more_the_stronger(worse, sharp, held_out):
    marked = sharp.clone()
    marked[:, -1] = 1  # of few photos all blocks
    values = [compare(describe(held_out), marked)]
    values += [compare(describe(f(held_out).clamp(0, 1)), marked) for f in worse]
    assert values == sorted(values)
    assert values[-1] > 1.5 * values[0]


def test_only_sharp_blocks_are_fitted_on():
    image = torch.full((1, 3, 192, 288), 0.5)
    noise = torch.rand(1, 3, 192, 288, generator=torch.Generator().manual_seed(0))
    image = image + 0.02 * noise
    image[..., :96, :96] += 0.3 * noise[..., :96, :96]
    found = describe(image)
    assert found.shape == (6, FEATURES + 1)
    assert found[:, -1].tolist() == [1, 0, 0, 0, 0, 0]


def test_blocks_without_variation_and_other_channels():
    image = torch.rand(1, 3, 96, 192, generator=torch.Generator().manual_seed(0))
    image[..., 96:] = 1.0
    assert len(describe(image)) == 1
    gray = image[:, :1].expand(-1, 3, -1, -1)
    for channels in (1, 5):
        same = image[:, :1].expand(-1, channels, -1, -1)
        torch.testing.assert_close(describe(same), describe(gray), atol=1e-3, rtol=1e-4)


def test_what_is_too_small_has_no_value_in_a_panel(held_out):
    with pytest.raises(TooSmall, match="needs 96 x 96 pixels, but got 95 x 200"):
        describe(torch.rand(1, 3, 95, 200))
    panel = Panel("rgb", 0, ["niqe_own", "swd"])
    row, few = panel.gather(), panel.gather()
    row.add(held_out)
    few.add(held_out)
    found = panel.compare(row, few)
    assert found["niqe_own"] is None
    assert found["swd"] == 0
