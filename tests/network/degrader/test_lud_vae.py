"""LUD-VAE's network beside its passes written out from the numbers in its state."""

import pytest
import torch
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.degrader.lud_vae import LUDVAE


def network(**options):
    torch.manual_seed(0)
    return LUDVAE(**({"features": 5} | options)).double()


def images(height=6, width=7, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64)


class ByHand:
    """Three levels, from the state alone."""

    def __init__(self, state):
        self.state = state

    def conv(self, name, x):
        weight = self.state[f"{name}.weight"]
        return F.conv2d(x, weight, self.state[f"{name}.bias"], padding=weight.shape[-1] // 2)

    def block(self, name, x):
        for layer in (0, 2, 4):
            x = self.conv(f"{name}.net.{layer}", x).clamp_min(0)
        return self.conv(f"{name}.net.6", x)

    def merge(self, name, *maps):
        return self.conv(f"{name}.proj", torch.cat(maps, 1))

    def encoded(self, name, x):
        first = self.block(f"{name}_1", x)
        second = self.block(f"{name}_2", first)
        return first, second, self.block(f"{name}_3", second)

    def gaussian(self, name, x):
        return self.conv(f"{name}.m", x), self.conv(f"{name}.v", x)

    def prior(self, level, x):
        return self.gaussian(f"Gauconv_p_{level}", x)

    def decoded(self, content, z):
        """Image; ``z(level, x)`` draws the degradation."""
        one, two, three = content
        x = self.merge("proj_3", three, z(3, three))
        x = self.merge("proj_c_2", self.block("dec_3", x), two)
        x = self.merge("proj_2", x, z(2, x))
        x = self.merge("proj_c_1", self.block("dec_2", x), one)
        x = self.merge("proj_1", x, z(1, x))
        return self.conv("outconv", self.block("dec_1", x))

    def content(self, image, grain, noise):
        return self.encoded("enc", self.conv("inconv", image + grain * noise / 255))


@pytest.fixture
def written():
    net = network(clean_noise=15, real_noise=8)
    return net, ByHand(net.state_dict()), images(), net.draws(images())


def test_a_clean_image_again(written):
    net, hand, image, (grain, *_) = written
    expected = hand.decoded(hand.content(image, grain, 15), lambda level, x: torch.zeros_like(x))
    torch.testing.assert_close(net.clean(image, grain), expected)


def test_degraded_by_the_prior(written):
    net, hand, image, (grain, three, two, one) = written

    def drawn(level, x):
        if level == 3:
            return three
        mean, log_std = hand.prior(level, x)
        return mean + torch.exp(log_std) * {2: two, 1: one}[level]

    content = hand.content(image, grain, 15)
    torch.testing.assert_close(net(image, grain, three, two, one), hand.decoded(content, drawn))


def test_a_real_image_again_with_both_distributions(written):
    net, hand, image, (grain, three, two, one) = written
    own, seen = hand.encoded("enc_n", hand.conv("inconv_n", image)), {}

    def inferred(level, x):
        if level == 3:
            q, p = hand.gaussian("Gauconv_q_3", own[2]), (torch.zeros_like(x),) * 2
        else:
            merged = hand.merge(f"proj_n_{level}", x, own[level - 1])
            q, p = hand.gaussian(f"Gauconv_q_{level}", merged), hand.prior(level, x)
        seen[level] = (*q, *p)
        return q[0] + torch.exp(q[1]) * {3: three, 2: two, 1: one}[level]

    expected = hand.decoded(hand.content(image, grain, 8), inferred)
    again, *distributions = net.real(image, grain, three, two, one)
    torch.testing.assert_close(again, expected)
    for number, found in enumerate(distributions):
        every = torch.cat([seen[level][number] for level in (3, 2, 1)], 1)
        torch.testing.assert_close(found, every)


def test_the_size_of_the_authors_network():
    """Nine blocks of four convolutions, and those of 1 x 1."""
    counted = sum(p.numel() for p in LUDVAE().parameters())
    square, point = 9 * 128 * 128 + 128, 128 * 128 + 128
    gaussians, merges = 2 * 5 * point, 7 * (2 * 128 * 128 + 128)
    assert counted == 36 * square + gaussians + merges + 2 * (3 * 128 + 128) + (128 * 3 + 3)


def test_draws_are_maps_of_the_image_and_decide_what_comes_out():
    net, image = network(), images()
    torch.manual_seed(3)
    draws = net.draws(image)
    assert [tuple(d.shape) for d in draws] == [(2, 3, 6, 7), *[(2, 5, 6, 7)] * 3]
    assert all(0.7 < d.std() < 1.3 for d in draws)
    assert torch.equal(net(image, *draws), net(image, *draws))
    assert not torch.equal(net(image, *draws), net(image, *net.draws(image)))


def test_without_temperature_the_degraded_image_is_the_clean_one():
    net = network(temperature=0.0)
    image, draws = images(), net.draws(images())
    assert torch.equal(net(image, *draws), net.clean(image, draws[0]))
    half, whole = network(temperature=0.5), network()
    clean = net(image, *draws)
    assert (half(image, *draws) - clean).abs().mean() < (whole(image, *draws) - clean).abs().mean()


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_any_number_of_levels(levels):
    net, image = network(levels=levels, features=3), images()
    draws = net.draws(image)
    assert net(image, *draws).shape == image.shape
    again, mean, *others = net.real(image, *draws)
    assert again.shape == image.shape
    assert mean.shape == (2, 3 * levels, 6, 7)
    assert all(other.shape == mean.shape for other in others)
    (
        again.sum() + mean.sum() + sum(o.sum() for o in others) + net.clean(image, draws[0]).sum()
    ).backward()
    assert all(p.grad is not None for p in net.parameters())


def test_levels_survive_bfloat16():
    net, image = network().float(), images().float()
    draws = net.draws(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lr = net(image, *draws)
    assert lr.dtype == torch.float32
    assert (lr - net(image, *draws)).abs().max() < 0.02
    assert lr.unique().numel() > 100


def test_mistakes():
    with pytest.raises(UserError, match="`levels` must be an integer of at least 1, but got 0"):
        LUDVAE(levels=0)
    with pytest.raises(UserError, match="`real_noise` must be 0 or more, but got -1"):
        LUDVAE(real_noise=-1)
    with pytest.raises(UserError, match=r"`temperature` must be 0 or more, but got -0\.5"):
        LUDVAE(temperature=-0.5)
