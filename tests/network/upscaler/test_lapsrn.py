import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.upscaler.lapsrn import LapSRN


def paper(weights, lr, levels, depth):
    """The paper's equations, written out over the keys."""

    def conv(x, key):
        return F.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], padding=1)

    def double(x, key):
        weight, bias = weights[f"{key}.weight"], weights.get(f"{key}.bias")
        groups = 3 if bias is None else 1
        return F.conv_transpose2d(x, weight, bias, stride=2, padding=1, groups=groups)

    image, images = lr, []
    features = F.leaky_relu(conv(lr, "first.0"), 0.2)
    for s in range(levels):
        for d in range(depth):
            features = F.leaky_relu(conv(features, f"pyramid.{s}.embed.{2 * d}"), 0.2)
        features = F.leaky_relu(double(features, f"pyramid.{s}.embed.{2 * depth}"), 0.2)
        image = double(image, f"pyramid.{s}.upsample") + conv(features, f"pyramid.{s}.residual")
        images.append(image)
    return images


@pytest.mark.parametrize(("scale", "levels"), [(2, 1), (4, 2), (8, 3)])
@pytest.mark.parametrize(("features", "depth"), [(64, 10), (8, 3)])
def test_parameter_count_is_the_formula(scale, levels, features, depth):
    c, first = features, 28 * features
    embed = depth * (9 * c**2 + c) + 16 * c**2 + c
    expected = first + levels * (embed + 27 * c + 3 + 48)
    network = LapSRN(scale, features, depth)
    assert sum(p.numel() for p in network.parameters()) == expected


def test_published_count_but_for_colour_biases_and_the_kernel_of_the_features():
    weights = {k: v.numel() for k, v in LapSRN(4).state_dict().items() if k.endswith("weight")}
    for key in weights:
        if key == "first.0.weight" or key.endswith(("residual.weight", "upsample.weight")):
            weights[key] //= 3  # luminance
        elif key.endswith("embed.20.weight"):
            weights[key] = weights[key] * 9 // 16  # 3x3 in the authors' code
    assert sum(weights.values()) == 812_768
    assert sum(p.numel() for p in LapSRN(4).parameters()) == 875_110


@pytest.mark.parametrize(("scale", "levels"), [(2, 1), (4, 2), (8, 3)])
def test_equals_the_equations_of_the_paper(scale, levels):
    torch.manual_seed(scale)
    network = LapSRN(scale, features=5, depth=2)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    lr = torch.rand(2, 3, 5, 4)
    expected = paper(network.state_dict(), lr, levels, 2)
    actual = network.levels(lr)
    assert [tuple(image.shape) for image in actual] == [
        (2, 3, 5 * 2**s, 4 * 2**s) for s in range(1, levels + 1)
    ]
    torch.testing.assert_close(list(actual), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(network(lr), actual[-1], atol=0, rtol=0)


@pytest.mark.parametrize(("scale", "border"), [(2, 1), (4, 3), (8, 7)])
def test_fresh_image_branch_is_bilinear_inside(scale, border):
    network = LapSRN(scale, features=4, depth=1)
    for level in network.pyramid:
        torch.nn.init.zeros_(level.residual.weight)
    lr = torch.rand(2, 3, 6, 7)
    image, expected = network(lr), lr
    for _ in network.pyramid:
        expected = F.interpolate(expected, scale_factor=2, mode="bilinear")
    inside = (..., slice(border, -border), slice(border, -border))
    torch.testing.assert_close(image[inside], expected[inside])
    assert (image[..., 0, :] < expected[..., 0, :]).all()  # zeros beyond the border


def test_fresh_features_are_upsampled_bilinearly_each_by_itself():
    layer = LapSRN(2, features=4, depth=1).pyramid[0].embed[2]
    features = torch.rand(1, 4, 6, 5)
    expected = F.interpolate(features, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(layer(features)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_fresh_network_is_almost_bilinear_inside():
    torch.manual_seed(0)
    network, lr = LapSRN(2), torch.rand(1, 3, 10, 10)
    difference = network(lr) - F.interpolate(lr, scale_factor=2, mode="bilinear")
    assert 0 < difference[..., 1:-1, 1:-1].abs().max() < 0.02


def test_image_keeps_float32_under_autocast():
    network = LapSRN(4, features=4, depth=1)
    for level in network.pyramid:
        torch.nn.init.zeros_(level.residual.weight)
    lr = torch.rand(1, 3, 5, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image = network(lr)
    torch.testing.assert_close(image, network(lr), atol=1e-6, rtol=0)


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = LapSRN(8, features=4, depth=2)
    network(torch.rand(1, 3, 4, 4)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_levels_share_no_weights():
    network = LapSRN(8, features=4, depth=2)
    assert len({p.data_ptr() for p in network.parameters()}) == 2 + 3 * (2 * 2 + 2 + 2 + 1)


@settings(deadline=None, max_examples=10)
@given(st.sampled_from([2, 4, 8]), st.integers(1, 9), st.integers(1, 9))
def test_any_size_at_any_scale(scale, height, width):
    network = LapSRN(scale, features=4, depth=1)
    assert network(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


@pytest.mark.parametrize("scale", [1, 3, 16])
def test_scales_that_are_no_doublings_are_refused(scale):
    with pytest.raises(UserError, match=rf"`scale` must be one of \[2, 4, 8\], but got {scale}\."):
        LapSRN(scale)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`features`"):
        LapSRN(4, features=0)
    with pytest.raises(UserError, match="`depth`"):
        LapSRN(4, depth=-1)
