"""The receptive radius against hand numbers, interpolation against Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image
from support.reach import Attentive, Limited, Strided, convolutions, dilated
from torch import nn

from wildsr.error import UserError
from wildsr.inference.tile import interpolate, receptive_radius


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


def test_each_parts_mode_is_restored():
    normalised = nn.BatchNorm2d(3)
    network = nn.Sequential(normalised, nn.Upsample(scale_factor=2), nn.BatchNorm2d(3).eval())
    receptive_radius(network, 2)
    assert [part.training for part in network] == [True, True, False]
    assert normalised.num_batches_tracked == 0
    failing = nn.Sequential(normalised, Limited(0, RuntimeError("shapes differ")))
    with pytest.raises(RuntimeError, match="shapes differ"):
        receptive_radius(failing, 2)
    assert normalised.training


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
