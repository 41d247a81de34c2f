import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from wildsr.data.demo import photo
from wildsr.degradation.blur import blur_and_sample, centred_grid, gaussian_kernel
from wildsr.degradation.interpolant import cubic
from wildsr.degradation.kernel import cascaded
from wildsr.error import UserError
from wildsr.network.degrader.kernelgan import KernelGAN
from wildsr.report.degradation.camera import kernel_statistics
from wildsr.report.degradation.describe import describe
from wildsr.training.kernel_estimate import estimate_kernel


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def trained(scale=2, **options):
    """A network with a kernel as after training: wide layers around a plausible blur."""
    network = KernelGAN(scale, features=4, **options)
    with torch.no_grad():
        for weight in network.layers:
            weight.uniform_(0, 1).div_(weight.sum((1, 2, 3), keepdim=True))
    return network


# The composition -------------------------------------------------------------------------------


def test_two_layers_by_hand():
    """[1 2 0] along rows, then [0 5 7]: the sum over all ways to reach a tap."""
    network = KernelGAN(2, features=1, kernels=(3, 3), keep=1)
    first, second = network.layers
    with torch.no_grad():
        first.zero_()[0, 0, 1] = torch.tensor([1.0, 2.0, 0.0])
        second.zero_()[0, 0, 1] = torch.tensor([0.0, 5.0, 7.0])
    # x[-1] + 2 x[0], of which 5 y[0] + 7 y[1]: 5 x[-1] + (10 + 7) x[0] + 14 x[1]
    expected = torch.zeros(1, 5, 5)
    expected[0, 2] = torch.tensor([0.0, 5.0, 17.0, 14.0, 0.0])
    torch.testing.assert_close(network.filter(), expected)


def test_the_kernel_is_the_layers():
    network, image = KernelGAN(2, features=8).double(), torch.rand(2, 3, 31, 28).double()
    x = image.flatten(0, 1)[:, None]
    for weight in network.layers[:-1]:
        x = F.conv2d(x, weight)
    x = F.conv2d(x, network.layers[-1], stride=2).view(2, 3, 10, 8)
    halved = network.halve(image, network.filter())
    torch.testing.assert_close(halved, x, rtol=0, atol=1e-18)
    ours = torch.autograd.grad(halved.square().sum(), list(network.layers))
    layers = torch.autograd.grad(x.square().sum(), list(network.layers))
    for one, other in zip(ours, layers, strict=True):
        torch.testing.assert_close(one, other)


def test_published_size():
    network = KernelGAN(2)
    assert [tuple(w.shape[1:]) for w in network.layers] == [
        (1, 7, 7),
        (64, 5, 5),
        (64, 3, 3),
        *[(64, 1, 1)] * 3,
    ]
    assert network.filter().shape == (1, 13, 13)


# The kernel for use ----------------------------------------------------------------------------


def test_cleaned_by_hand():
    """Of taps 8, 6, 5 and 1 with keep=3: less 0.75 * 5 they are 4.25, 2.25, 1.25 and nothing."""
    network = KernelGAN(2, features=1, kernels=(3, 1), keep=3)
    with torch.no_grad():
        network.layers[1].fill_(1)
        network.layers[0].copy_(torch.tensor([[8.0, 6, 0], [5, 1, 0], [0, 0, 0]])[None, None])
    high = torch.tensor([[4.25, 2.25, 0], [1.25, 0, 0], [0, 0, 0]]).double() / 7.75 + 1e-6
    cleaned = network.cleaned()[0].detach().double()
    # A tilt multiplies by exp(a u + b v): cross ratios of a square of taps stay.
    for i in (0, 1):
        for j in (0, 1):
            square = high[i : i + 2, j : j + 2], cleaned[i : i + 2, j : j + 2]
            ratio, ours = (s[0, 0] * s[1, 1] / s[0, 1] / s[1, 0] for s in square)
            assert float(ours / ratio) == pytest.approx(1, rel=1e-3)
    found = kernel_statistics(cleaned)
    assert found["centre_x"] == pytest.approx(0.5, abs=1e-4)
    assert found["centre_y"] == pytest.approx(0.5, abs=1e-4)
    assert float(cleaned.sum()) == pytest.approx(1)


@pytest.mark.parametrize(("scale", "side"), [(2, 13), (4, 37), (8, 85)])
def test_the_kernel_of_a_scale_is_centred_on_the_lr_pixel(scale, side):
    kernel = trained(scale).kernel().detach()
    assert kernel.shape == (1, side, side)
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-5)
    found = kernel_statistics(kernel[0])
    assert found["centre_x"] == pytest.approx((scale - 1) / 2, abs=1e-3)
    assert found["centre_y"] == pytest.approx((scale - 1) / 2, abs=1e-3)


@pytest.mark.parametrize("times", [2, 3])
def test_cascaded_equals_halving_again_and_again(times):
    kernel = torch.rand(1, 5, 5).double()
    image = torch.rand(2, 3, 90, 83).double()

    def halve(x):
        return F.conv2d(x.flatten(0, 1)[:, None], kernel[None], stride=2).unflatten(0, (2, 3))[
            :, :, 0
        ]

    expected = image
    for _ in range(times):
        expected = halve(expected)
    whole = cascaded(kernel, times)
    assert whole.shape[-1] == (2**times - 1) * 4 + 1
    once = F.conv2d(image.flatten(0, 1)[:, None], whole[None], stride=2**times)
    torch.testing.assert_close(once.view_as(expected), expected)


def test_cascaded_by_hand():
    """k = [1 2] in one row of 3: k[v] k[u] at 2 v + u."""
    kernel = torch.zeros(1, 3, 3)
    kernel[0, 0] = torch.tensor([1.0, 2.0, 0.0])
    expected = torch.zeros(1, 7, 7)
    expected[0, 0, :4] = torch.tensor([1.0, 2.0, 2.0, 4.0])
    torch.testing.assert_close(cascaded(kernel, 2), expected)


def test_lr_by_its_definition():
    network, hr = trained(4, noise=0.1), torch.rand(2, 3, 48, 40)
    draws = network.draws(hr)
    assert draws.shape == (2, 3, 12, 10)
    expected = blur_and_sample(hr, network.kernel(), 4, offset=0) + 0.1 * draws
    torch.testing.assert_close(network(hr, draws), expected)
    flat = network(torch.full_like(hr, 0.3), 0 * draws)
    torch.testing.assert_close(flat, torch.full_like(flat, 0.3))


def test_what_a_report_says():
    said = describe(trained(2, noise=2 / 255))
    assert said["kernel"].shape == (13, 13)
    torch.testing.assert_close(255 * said["noise_std"], torch.full((17,), 2.0))
    assert "read noise 2.0/255, shot noise 0.0/255" in said["summary"]


# Estimation ------------------------------------------------------------------------------------


@pytest.mark.heavy
def test_it_finds_a_hidden_kernel_better_than_bicubic_would_guess():
    """A blur of 2.2 x 0.9 pixels along 34 degrees, which made a real photo: a modest bar."""
    angle, along, across = math.radians(34.4), 2.2, 0.9
    cos, sin = math.cos(angle), math.sin(angle)
    covariance = np.array([[cos, -sin], [sin, cos]]) @ np.diag([along**2, across**2])
    covariance = covariance @ np.array([[cos, sin], [-sin, cos]])
    (a, _), (b, c) = np.linalg.cholesky(covariance)
    true = gaussian_kernel(*torch.tensor([a, b, c]).float(), centred_grid(13, 2))
    sharp = torch.from_numpy(photo("motorcycle_left").copy()).permute(2, 0, 1)[None] / 255
    small = blur_and_sample(sharp[..., :740], true[None], 2)[0]
    small = small.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()

    found = estimate_kernel(small, 200, crop=64, batch=2, features=32)[0]

    taps = cubic((torch.arange(13) - 6.5) / 2)
    guess = taps[:, None] * taps / (taps[:, None] * taps).sum()
    error, by_bicubic = ((k - true).norm() / true.norm() for k in (found, guess))
    assert error < 0.6 * by_bicubic
    alike, as_bicubic = ((k * true).sum() / k.norm() / true.norm() for k in (found, guess))
    assert 1 - alike < 0.8 * (1 - as_bicubic)
    # Its width, not its direction: that takes more iterations than a test has.
    statistics, hidden = kernel_statistics(found), kernel_statistics(true)
    width, expected = (s["sigma_major"] * s["sigma_minor"] for s in (statistics, hidden))
    assert 0.6 * expected < width < 1.8 * expected


def test_the_estimate_depends_on_its_seed_alone():
    noise = np.random.default_rng(0).integers(0, 256, (40, 44, 3), np.uint8)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    found = [estimate_kernel(noise, 3, 32, 2, 4, seed) for seed in (5, 5, 6)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert found[0].sum().item() == pytest.approx(1)


# Mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 3])
def test_only_halvings(scale):
    with pytest.raises(UserError, match=rf"`scale` must be one of \[2, 4, 8\].*, but got {scale}"):
        KernelGAN(scale)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernels": (7, 4)}, r"`kernels` must be two odd numbers or more, but got \[7, 4\]"),
        ({"kernels": (7,)}, "`kernels` must be two odd"),
        ({"keep": 170}, "`keep` must be at most the 169 taps"),
        ({"noise": -0.1}, "`noise` must be 0 or more"),
        ({"features": 0}, "`features` must be"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(UserError, match=message):
        KernelGAN(2, **options)


def test_too_small():
    network = KernelGAN(2, features=1)
    with pytest.raises(UserError, match=r"at least 13 pixels a side, but got \(1, 3, 12, 20\)"):
        network.halve(torch.rand(1, 3, 12, 20), network.filter())
    with pytest.raises(UserError, match=r"`crop` must be at least 32 .* 64 for 40x33"):
        estimate_kernel(np.zeros((33, 40, 3), np.uint8), 1, 64)
