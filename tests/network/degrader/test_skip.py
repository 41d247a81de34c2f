import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wildsr.degradation.bicubic import downscale
from wildsr.error import UserError
from wildsr.network.degrader.skip import SkipDegrader


def moved(network):
    """As after training: the last layer is no longer 0."""
    torch.manual_seed(0)
    nn.init.normal_(network.trunk.tail.weight, std=0.3)
    return network


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("noise", [0, 5])
def test_a_fresh_one_is_bicubic_of_any_size(scale, noise):
    degrader = SkipDegrader(scale, 4, 1, noise, cell=8)
    hr = torch.rand(2, 3, 3 * scale, 5 * scale)
    assert torch.equal(degrader(hr, degrader.draws(hr)), downscale(hr, scale))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_a_pixel_sees_is_centred_on_it(scale):
    """The zoo's nearest skip looks at the top left pixel of a block; this at all, evenly."""
    torch.manual_seed(0)
    degrader = moved(SkipDegrader(scale, 4, 1)).double()
    hr = torch.rand(1, 3, 15 * scale, 15 * scale, dtype=torch.float64, requires_grad=True)
    degrader(hr)[0, :, 7, 7].sum().backward()
    seen = hr.grad[0].abs().sum(0)
    centre = 7 * scale + (scale - 1) / 2
    for axis in (0, 1):
        places = seen.sum(axis).nonzero().flatten()
        assert (places.min() + places.max()).item() / 2 == centre


def test_the_first_convolution_is_one_of_kernel_three_times_the_scale():
    degrader = SkipDegrader(2, 4, 1).double()
    hr = torch.rand(1, 3, 12, 10, dtype=torch.float64)
    ours = degrader.trunk.head(F.pixel_unshuffle(hr, 2))
    weight = F.pixel_shuffle(degrader.trunk.head.weight, 2)
    strided = F.conv2d(hr, weight, degrader.trunk.head.bias, stride=2, padding=2)
    torch.testing.assert_close(ours, strided)


def test_each_cell_has_a_vector_of_its_own():
    degrader = moved(SkipDegrader(2, 8, 1, noise_size=6, cell=16))
    hr = torch.full((3, 3, 40, 48), 0.5)
    torch.manual_seed(1)
    draw = degrader.draws(hr)
    assert draw.shape == (3, 6, 3, 3)  # 40 pixels are two cells and a half
    torch.manual_seed(1)
    assert torch.equal(draw, torch.randn(3, 6, 3, 3))
    other = draw.clone()
    other[1, :, 0, 2] += 1
    change = (degrader(hr, draw) - degrader(hr, other)).abs().sum(1)
    assert not change[0].any()
    assert not change[2].any()
    rows, columns = change[1].nonzero().T
    reach = 5
    assert rows.max() == 8 - 1 + reach
    assert columns.min() == 16 - reach


def test_the_noise_is_a_linear_layer_laid_out_as_an_image():
    degrader = SkipDegrader(1, 4, 1, noise_size=3, cell=4)
    seen = []
    degrader.trunk.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    hr = torch.rand(1, 3, 4, 8)
    draw = degrader.draws(hr)
    degrader(hr, draw)
    weight, bias = degrader.spread.weight.view(16, 3), degrader.spread.bias
    for cell in (0, 1):
        expected = (weight @ draw[0, :, 0, cell] + bias).view(4, 4)
        torch.testing.assert_close(seen[0][0, 3, :, 4 * cell : 4 * cell + 4], expected)


def test_a_draw_has_to_be_given():
    with pytest.raises(UserError, match=r"`noise_size` must be 0 .* used without draws, .* 2"):
        SkipDegrader(2, 4, 1, noise_size=2)(torch.rand(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 5}, r"`scale` must be one of .* 5"),
        ({"scale": 2, "noise_size": -3}, r"`noise_size` must be 0 or more, but got -3"),
        ({"scale": 2, "cell": 0}, r"`cell` must be .* but got 0"),
    ],
)
def test_what_it_refuses(arguments, message):
    with pytest.raises(UserError, match=message):
        SkipDegrader(**arguments)
