"""Tiles against the whole image, the receptive radius against hand numbers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.reach import Attentive, Limited, Strided, convolutions, dilated
from torch import nn

from wildsr.error import UserError
from wildsr.inference.tile import interpolate, receptive_radius, upscale_tiled


def whole(network, lr):
    with torch.no_grad():
        return network(lr)


@pytest.mark.parametrize(
    ("network", "scale", "radius"),
    [
        (nn.Upsample(scale_factor=2), 2, 0),
        (convolutions(3), 2, 1),
        (convolutions(3, 3, 5), 2, 4),
        (convolutions(3, 3, scale=4), 4, 2),
        # In pixels of half resolution 2, and up to one more within the pair.
        (Strided(), 2, 4),
        # More than half of the first probe, and of the second.
        (dilated(4), 1, 64),
        # More than half of the last one.
        (dilated(8), 1, None),
        (Attentive(), 2, None),
    ],
)
def test_receptive_radius(network, scale, radius):
    assert receptive_radius(network, scale) == radius


def test_receptive_radius_is_the_larger_of_both_axes():
    wide = nn.Conv2d(3, 3, (1, 7), padding=(0, 3))
    assert receptive_radius(wide, 1) == 3
    assert receptive_radius(nn.Conv2d(3, 3, (9, 1), padding=(4, 0)), 1) == 4


def test_receptive_radius_sees_what_zero_weights_hide():
    network = convolutions(3, 3)
    nn.init.zeros_(network[0].weight)
    assert receptive_radius(network, 2) == 2


def test_receptive_radius_leaves_the_settings():
    network = convolutions(3).double().train()
    enabled = torch.backends.cudnn.enabled
    assert receptive_radius(network, 2) == 1
    assert torch.backends.cudnn.enabled == enabled
    assert network.training


@settings(deadline=None, max_examples=20)
@given(
    height=st.integers(1, 45),
    width=st.integers(1, 45),
    tile=st.integers(8, 64),
    case=st.sampled_from(
        [(convolutions(3, 5, 3), 2), (convolutions(3, scale=3), 3), (Strided(), 2)]
    ),
)
def test_tiles_equal_the_whole_image(height, width, tile, case):
    network, scale = case
    lr = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(height + width))
    sr = upscale_tiled(network, lr, scale, tile)
    assert sr.shape == (2, 3, height * scale, width * scale)
    assert (sr - whole(network, lr)).abs().max() < 1e-5


def test_too_small_a_margin_shows():
    network, lr = convolutions(9, 9), torch.rand(1, 3, 40, 40)
    assert (upscale_tiled(network, lr, 2, 16, overlap=0) - whole(network, lr)).abs().max() > 1e-3
    assert (upscale_tiled(network, lr, 2, 16, overlap=8) - whole(network, lr)).abs().max() < 1e-5


def test_global_networks_get_a_fixed_margin():
    seen = []
    network = Attentive()
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[2:]))
    upscale_tiled(network, torch.rand(1, 3, 96, 96), 2, tile=32)
    assert max(seen[-9:]) == (32 + 2 * 16, 32 + 2 * 16)


def test_an_image_of_one_tile_is_read_once_and_whole():
    network = Limited(most=10**6)
    upscale_tiled(network, torch.rand(1, 3, 30, 41), 2, tile=64)
    assert network.sizes == [(30, 41)]


def test_result_is_an_ordinary_tensor_of_the_inputs_type():
    sr = upscale_tiled(convolutions(3).double(), torch.rand(1, 3, 9, 9).half(), 2)
    assert (sr.dtype, sr.device.type) == (torch.float16, "cpu")
    assert not sr.is_inference()
    assert not sr.requires_grad


def test_each_parts_mode_is_restored():
    normalised = nn.BatchNorm2d(3)
    network = nn.Sequential(normalised, nn.Upsample(scale_factor=2), nn.BatchNorm2d(3).eval())
    upscale_tiled(network, torch.rand(1, 3, 9, 9), 2)
    assert [part.training for part in network] == [True, True, False]
    assert normalised.num_batches_tracked == 0
    failing = nn.Sequential(normalised, Limited(0, RuntimeError("shapes differ")))
    with pytest.raises(RuntimeError, match="shapes differ"):
        upscale_tiled(failing, torch.rand(1, 3, 9, 9), 2)
    assert normalised.training


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    ],
)
def test_out_of_memory_halves_the_tile(error):
    network, lr = Limited(40 * 40, error), torch.rand(1, 3, 100, 90)
    sr = upscale_tiled(network, lr, 2, tile=256, overlap=0)
    torch.testing.assert_close(sr, F.interpolate(lr, scale_factor=2), rtol=0, atol=0)
    # 256 is cut to the image (104), its half to whole cells (48), and the next half is below 32.
    assert network.sizes[:4] == [(100, 90), (48, 48), (32, 32), (32, 32)]


def test_out_of_memory_ends_at_the_smallest_tile():
    with pytest.raises(UserError, match="100 x 90 pixels did not even with tiles of 32"):
        upscale_tiled(Limited(10), torch.rand(1, 3, 100, 90), 2, tile=64, overlap=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tile": 7}, "`tile` must be at least 8"),
        ({"overlap": -1}, "`overlap`"),
        ({"scale": 3}, "`scale` must be that of the network, but got 3"),
        ({"lr": torch.zeros(1, 3, 0, 4)}, "must have pixels"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        upscale_tiled(
            **{"network": convolutions(3), "lr": torch.rand(1, 3, 9, 9), "scale": 2, **arguments}
        )


@pytest.mark.parametrize("kind", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_interpolation_is_pillows(kind):
    levels = np.random.default_rng(0).integers(0, 256, (2, 7, 5, 3), dtype=np.uint8)
    lr = torch.from_numpy(levels).permute(0, 3, 1, 2) / 255
    sr = interpolate(lr, 3, kind)
    for image, enlarged in zip(levels, sr, strict=True):
        expected = Image.fromarray(image).resize((15, 21), Image.Resampling[kind.upper()])
        found = (enlarged.permute(1, 2, 0) * 255).round().byte().numpy()
        np.testing.assert_array_equal(found, np.asarray(expected))


def test_interpolation_by_one_rounds_to_8_bits():
    lr = torch.tensor([-0.5, 0.1004, 1.5]).reshape(1, 3, 1, 1).double()
    expected = torch.tensor([0, 26, 255]).reshape(1, 3, 1, 1).double() / 255
    torch.testing.assert_close(interpolate(lr, 1, "bicubic"), expected)


def test_interpolation_mistakes():
    with pytest.raises(UserError, match="Did you mean 'bicubic'"):
        interpolate(torch.rand(1, 3, 4, 4), 2, "cubic")
    with pytest.raises(UserError, match="`scale`"):
        interpolate(torch.rand(1, 3, 4, 4), 0, "bicubic")
