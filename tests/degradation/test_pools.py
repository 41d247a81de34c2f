import copy

import numpy as np
import pytest
import torch

from wildsr.degradation.bicubic import downscale
from wildsr.degradation.blur import blur_and_sample
from wildsr.degradation.kernel import cascaded
from wildsr.degradation.pools import Pools
from wildsr.error import UserError
from wildsr.report.degradation.describe import describe
from wildsr.training.kernel_estimate import estimate_kernel

QUICK = {"kernel_iterations": 2, "kernel_crop": 32, "kernel_features": 2}


def photos(*levels, side=48):
    make = np.random.default_rng(0)
    return [
        np.clip(np.round(make.normal(120, level, (side, side, 3))), 0, 255).astype(np.uint8)
        for level in levels
    ]


def filled(*levels, **options):
    pools = Pools(**({"scale": 4, "patch": 6, "noises": 50} | options))
    return pools, pools.harvest(photos(*levels), torch.Generator().manual_seed(0), estimate_kernel)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_before_the_harvest_it_is_plain_shrinking():
    hr = torch.rand(2, 3, 32, 48)
    bicubic = (downscale(hr, 4).clamp(0, 1) * 255).round() / 255
    torch.testing.assert_close(Pools(4, 6)(hr), bicubic)
    blocks = hr.unflatten(3, (12, 4)).unflatten(2, (8, 4)).mean((3, 5))
    torch.testing.assert_close(Pools(4, 6, kernels=2)(hr), blocks, rtol=0, atol=0.5 / 255 + 1e-6)


def test_each_image_gets_the_kernel_and_the_noise_that_were_drawn():
    pools, _ = filled(4, 5, kernels=2, **QUICK)
    pools.kernel_pool[1] = pools.kernel_pool[0].roll((3, -2), (0, 1))
    hr = torch.rand(2, 3, 24, 24)
    noise = torch.tensor([[[0]], [[3]]])
    lr = pools(hr, (torch.tensor([1, 0]), noise))
    for i, (kernel, patch) in enumerate([(1, 0), (0, 3)]):
        small = blur_and_sample(hr[i : i + 1], pools.kernel_pool[kernel][None], 4, offset=0)[0]
        levels = pools.noise[patch].float()
        expected = 255 * small + levels - levels.mean((1, 2), keepdim=True)
        torch.testing.assert_close(255 * lr[i], expected.clamp(0, 255).round())


def test_a_large_picture_gets_a_mosaic():
    pools, _ = filled(5)
    hr = torch.full((1, 3, 4 * 15, 4 * 9), 0.5)
    kernel, noise = pools.draws(hr)
    assert (kernel.shape, noise.shape) == ((1,), (1, 3, 2))
    made = pools(hr, (kernel, noise))[0] - 0.5
    for row in range(3):
        for column in range(2):
            tile = made[:, 6 * row : 6 * row + 6, 6 * column : 6 * column + 6]
            patch = pools.noise_patches(noise[0, row, column][None])[0]
            expected = patch[:, : tile.shape[1], : tile.shape[2]]
            torch.testing.assert_close(tile, expected, rtol=0, atol=0.6 / 255)


def test_noise_has_mean_0_and_the_level_of_the_photos():
    pools, flat = filled(5, 5)
    patches = pools.noise_patches(torch.arange(len(flat.patches)))
    assert patches.mean((2, 3)).abs().max() < 1e-6
    std = 255 * pools.noise_std(torch.tensor([0.1, 120 / 255, 0.9]))
    torch.testing.assert_close(std, torch.full((3,), 5.0), rtol=0.1, atol=0)
    assert describe(pools)["summary"].startswith(f"bicubic, {len(flat.patches)} noise patches, ")


def test_only_what_was_harvested_is_drawn():
    pools, flat = filled(5, noises=400)
    count = len(flat.patches)
    assert 0 < count < 400
    drawn = pools.draws(torch.rand(3000, 3, 24, 24))[1]
    assert set(drawn.flatten().tolist()) == set(range(count))


def test_the_state_holds_all_of_it():
    pools, _ = filled(5, kernels=1, **QUICK)
    other = Pools(4, 6, noises=50, kernels=1)
    other.load_state_dict(copy.deepcopy(pools.state_dict()))
    hr = torch.rand(2, 3, 24, 24)
    draws = pools.draws(hr)
    assert torch.equal(pools(hr, draws), other(hr, draws))
    assert other.filled.tolist() == pools.filled.tolist()


def test_the_harvest_depends_on_its_generator_alone():
    one, other = (filled(4, 5, kernels=1, **QUICK)[0] for _ in range(2))
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_kernels_are_for_the_whole_scale():
    pools, _ = filled(4, 5, kernels=3, **QUICK)
    assert pools.kernel_pool.shape == (3, 37, 37)
    assert pools.filled.tolist()[1] == 2, "one from each photo"
    torch.testing.assert_close(pools.kernel_pool[:2].sum((1, 2)), torch.ones(2))
    assert pools.kernel().shape == (1, 37, 37)
    half = torch.rand(1, 13, 13)
    assert cascaded(half, 2).shape == (1, 37, 37)


def test_bicubic_has_a_kernel_to_show():
    kernel = Pools(4, 6).kernel()
    hr = torch.zeros(1, 1, 64, 64)
    hr[0, 0, 30, 29] = 1  # what each LR pixel takes of it
    lr = downscale(hr, 4)
    torch.testing.assert_close(blur_and_sample(hr, kernel, 4), lr, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 3, "kernels": 2}, r"`kernels` must be 0 \(bicubic\) at scale 3.*but got 2"),
        ({"kernels": -1}, "`kernels` must be an integer of at least 0, but got -1"),
        ({"flat": 0}, "`flat` must be a share above 0 and at most 1, but got 0"),
        ({"calm": 1.5}, "`calm` must be a share"),
        ({"noises": 0}, "`noises` must be"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(UserError, match=message):
        Pools(**({"scale": 4, "patch": 6} | options))


def test_photos_too_small_for_kernels():
    pools = Pools(4, 6, kernels=1, kernel_crop=64)
    with pytest.raises(
        UserError, match=r"at least 64x64 pixels to estimate.*`degradation.kernels=0`"
    ):
        pools.harvest(photos(5), torch.Generator(), estimate_kernel)
