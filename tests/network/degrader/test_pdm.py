import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.degrader.pdm import KernelNetwork, NoiseNetwork, PDMDegrader

SMALL = {"features": 8, "kernel_blocks": 1, "noise_blocks": 1, "kernel_noise": 4}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def moved(degrader):
    """As after training: the last layers are no longer 0."""
    for network in (degrader.kernel, degrader.noise):
        nn.init.normal_(network.body[-1].weight, std=0.3)
    return degrader


def test_kernel_starts_as_the_authors_near_uniform_box():
    kernel = KernelNetwork(21, 4, 8, 1)(torch.randn(3, 4, 1, 1))
    assert kernel.shape == (3, 21, 21)
    expected = torch.full((3, 21, 21), 1 / (math.e + 440))
    expected[:, 10, 10] = math.e / (math.e + 440)
    torch.testing.assert_close(kernel, expected)


def test_fresh_degrader_keeps_a_constant_and_adds_no_noise():
    hr = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(2, 3, 16, 24)
    degrader = PDMDegrader(4, **SMALL)
    fake_lr, kernel, noise = degrader(hr, *degrader.draws(hr))
    assert (fake_lr.shape, kernel.shape, noise.shape) == ((2, 3, 4, 6), (2, 21, 21), (2, 3, 4, 6))
    torch.testing.assert_close(fake_lr, hr[..., :4, :6])
    assert noise.abs().max() == 0


def test_draws_are_standard_normal_and_decide_everything():
    degrader = moved(PDMDegrader(2, kernel_size=5, **(SMALL | {"kernel_noise": 1000}))).eval()
    hr = torch.rand(4, 3, 32, 32)
    kernel_draw, noise_draw = degrader.draws(hr)
    assert (kernel_draw.shape, noise_draw.shape) == ((4, 1000, 1, 1), (4, 3, 16, 16))
    for draw in (kernel_draw, noise_draw):
        assert abs(draw.mean()) < 0.1
        assert abs(draw.std() - 1) < 0.1
    once, again = (degrader(hr, kernel_draw, noise_draw) for _ in range(2))
    other = degrader(hr, *degrader.draws(hr))
    for a, b, c in zip(once, again, other, strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
    assert not torch.equal(once[1][0], once[1][1])  # one kernel for each image


@pytest.mark.parametrize("scale", [1, 3, 4])
def test_image_is_the_sum_over_unfolded_patches_plus_noise(scale):
    degrader = moved(PDMDegrader(scale, kernel_size=7, pin_centre=False, **SMALL))
    hr = torch.rand(2, 3, 5 * scale, 6 * scale)
    fake_lr, kernel, noise = degrader(hr, *degrader.draws(hr))
    padded = F.pad(hr, [3] * 4, mode="reflect")[..., (scale - 1) // 2 :, (scale - 1) // 2 :]
    patches = F.unfold(padded, 7, stride=scale).view(2, 3, 49, -1)[..., : 5 * 6]
    blurred = torch.einsum("bckl,bk->bcl", patches, kernel.flatten(1)).view(2, 3, 5, 6)
    torch.testing.assert_close(fake_lr, blurred + noise, atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_centre_of_mass_is_pinned_to_the_lr_grid(scale):
    degrader = moved(PDMDegrader(scale, kernel_size=11, **SMALL))
    hr = torch.rand(3, 3, 16 * scale, 16 * scale)
    kernel = degrader(hr, *degrader.draws(hr))[1]
    taps = torch.arange(11.0) - 5 + (scale - 1) // 2  # from the corner pixel of each block
    for axis in (1, 2):
        centre = (kernel.sum(axis) * taps).sum(1)
        torch.testing.assert_close(centre, torch.full((3,), (scale - 1) / 2), atol=1e-4, rtol=0)
    free = moved(PDMDegrader(scale, kernel_size=11, pin_centre=False, **SMALL))
    kernel = free(hr, *free.draws(hr))[1]
    assert ((kernel.sum(1) * taps).sum(1) - (scale - 1) / 2).abs().max() > 1e-2


def test_both_networks_learn_and_noise_does_not_train_the_kernel():
    degrader = moved(PDMDegrader(2, kernel_size=5, **SMALL))
    hr = torch.rand(4, 3, 16, 16)
    fake_lr, _, noise = degrader(hr, *degrader.draws(hr))
    parameters = list(degrader.kernel.parameters())
    gradients = torch.autograd.grad(noise.sum(), parameters, retain_graph=True, allow_unused=True)
    assert all(gradient is None for gradient in gradients)
    fake_lr.square().sum().backward()
    for network in (degrader.kernel, degrader.noise):
        assert all(p.grad is not None for p in network.parameters())
        assert network.body[0].weight.grad.abs().sum() > 0


def test_noise_depends_on_image_and_place():
    network = NoiseNetwork(noise_dim=3, features=8, blocks=1).eval()
    nn.init.normal_(network.body[-1].weight)
    draw, lr = torch.randn(1, 3, 6, 6), torch.rand(1, 3, 6, 6)
    assert not torch.allclose(network(lr, draw), network(lr / 2, draw))
    flat = network(torch.full_like(lr, 0.5), draw)
    assert flat.std() > 1e-3


def test_batch_of_one_is_refused_in_training_only():
    degrader, hr = PDMDegrader(4, **SMALL), torch.rand(1, 3, 16, 16)
    with pytest.raises(UserError, match=r"at least 2 images .* raise `data.batch`"):
        degrader(hr, *degrader.draws(hr))
    assert degrader.eval()(hr, *degrader.draws(hr))[0].shape == (1, 3, 4, 4)


def test_image_is_float32_under_autocast():
    degrader, hr = moved(PDMDegrader(4, **SMALL)), torch.rand(2, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fake_lr, kernel, _ = degrader(hr, *degrader.draws(hr))
    assert (fake_lr.dtype, kernel.dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"kernel_size": 20}, "kernel_size"),
        ({"noise_blocks": 0}, "noise_blocks"),
        ({"kernel_noise": 0}, "kernel_noise"),
        ({"scale": 6}, "scale"),
    ],
)
def test_mistakes_are_named(change, argument):
    with pytest.raises(UserError, match=f"Argument `{argument}` must be"):
        PDMDegrader(**({"scale": 4} | SMALL | change))
