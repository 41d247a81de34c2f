"""Each shipped method equals a training step written out by hand, from its paper's equations."""

import copy

import pytest
import torch
from torch.nn import functional as F

from wildsr.training import _mix

ITERATIONS, SEED = 6, 7
LOOP = ["trainer.precision=64-true", f"seed={SEED}", "method.ema=0.5"]


@pytest.fixture
def compare(fit, plain_batches):
    """``compare(overrides, reference)``: from the same networks on the same batches."""

    def both(overrides, reference):
        batches, start = plain_batches(ITERATIONS), {}

        def remember(training):
            torch.manual_seed(1)
            with torch.no_grad():  # off the start, where some networks end in zeros
                for parameter in training.networks.parameters():
                    parameter += 0.05 * torch.randn_like(parameter)
                # each average starts as a copy of its network
                for name, average in training.ema.networks.items():
                    average.load_state_dict(training.networks[name].state_dict())
            start.update({n: copy.deepcopy(net).double() for n, net in training.networks.items()})

        training = fit([*LOOP, *overrides], batches, remember)
        floats = [{n: image.double() / 255 for n, image in batch.items()} for batch in batches]
        average = copy.deepcopy(start["upscale"])
        reference(start, floats, average)
        for name, network in training.networks.items():
            assert_equal(network, start[name])
        assert_equal(training.ema.networks["upscale"], average)
        assert training.iteration == ITERATIONS

    return both


def assert_equal(network, expected):
    ours = network.state_dict()
    assert ours.keys() == expected.state_dict().keys()
    for key, value in expected.state_dict().items():
        torch.testing.assert_close(
            ours[key], value, rtol=0, atol=1e-12, msg=lambda m, k=key: f"{k}: {m}"
        )


def draw_again(iteration):
    """The state of the generator that the loop gives to an iteration."""
    torch.manual_seed(_mix(SEED, iteration, 0))


def quantise(image):
    """8 bits forward, the identity backward."""
    return image + ((image.clamp(0, 1) * 255).round() / 255 - image).detach()


def descend(optimizer, loss, clip=None):
    optimizer.zero_grad()
    loss.backward()
    if clip is not None:
        (group,) = optimizer.param_groups
        norm = torch.sqrt(sum(p.grad.square().sum() for p in group["params"]))
        for parameter in group["params"]:
            parameter.grad *= min(1, clip / (norm.item() + 1e-6))
    optimizer.step()
    optimizer.zero_grad()


def adam(network, rate, betas):
    return torch.optim.Adam(network.parameters(), lr=rate, betas=betas)


def freeze(network, frozen=True):
    network.requires_grad_(not frozen)


@torch.no_grad()
def move_average(average, network, iteration):
    decay = min(0.5, (1 + iteration) / (10 + iteration))
    for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
        mean.copy_(decay * mean + (1 - decay) * weight)


def test_supervised(compare):
    def reference(networks, batches, average):
        upscale = networks["upscale"]
        optimizer = adam(upscale, 1e-3, (0.8, 0.9))
        for iteration, batch in enumerate(batches):
            hr = batch["hr"]
            lr = F.interpolate(hr, scale_factor=0.25, mode="bicubic", antialias=True)
            lr = (lr.clamp(0, 1) * 255).round() / 255
            descend(optimizer, (upscale(lr) - hr).abs().mean())
            move_average(average, upscale, iteration)

    adams = ["method.optimizers.upscale.lr=1e-3", "method.optimizers.upscale.betas=[0.8,0.9]"]
    compare(["method=supervised", "degradation=bicubic", *adams], reference)


RATES, BETAS = {"degrade": 1e-2, "critic": 1e-3, "upscale": 5e-4}, (0.5, 0.9)


def test_wild(compare):
    """Least squares on lr = quantise(camera(hr)), R1; L1 on the LR from before the steps."""

    def reference(networks, batches, average):
        camera, critic, upscale = (networks[n] for n in ("degrade", "critic", "upscale"))
        optimizers = {n: adam(networks[n], rate, BETAS) for n, rate in RATES.items()}
        for iteration, batch in enumerate(batches):
            hr, real_lr = batch["hr"], batch["real_lr"].clone().requires_grad_()
            for name, optimizer in optimizers.items():
                optimizer.param_groups[0]["lr"] = RATES[name] / (1 + iteration / 3)
            draw_again(iteration)
            draws = torch.randn(len(hr), 3, 8, 8, dtype=torch.float64)

            freeze(critic)
            fake_lr = quantise(camera(hr, draws))
            descend(optimizers["degrade"], (critic(fake_lr) - 1).square().mean())
            fake_lr = fake_lr.detach()  # of the camera before its step
            freeze(critic, False)

            judged = ((critic(real_lr) - 1).square().mean() + critic(fake_lr).square().mean()) / 2
            (slope,) = torch.autograd.grad(critic(real_lr).sum(), real_lr, create_graph=True)
            penalty = slope.square().sum((1, 2, 3)).mean() / 2
            descend(optimizers["critic"], judged + 0.5 * penalty)

            descend(optimizers["upscale"], (upscale(fake_lr) - hr).abs().mean())
            move_average(average, upscale, iteration)

    tuned = [  # what may be tuned without changing what the method is
        *[f"method.optimizers.{n}.lr={r}" for n, r in RATES.items()],
        *[f"method.optimizers.{n}.betas={list(BETAS)}" for n in RATES],
        *[f"++method.schedules.{n}={{_target_: wildsr.schedule.Inverse, half: 3}}" for n in RATES],
        "method.updates.judge.terms.smooth.weight=0.5",
    ]
    compare(["method=wild", *tuned], reference)


def test_pdm(compare, of):
    """Deg, D1, SR, the last two on the LR from before the degrader's step; norms clipped."""
    clip, clips = 1e-3, [f"method.updates.{u}.clip=1e-3" for u in ("degrade", "judge", "upscale")]
    milestones = [
        f"method.schedules.{n}.milestones=[2,4]" for n in ("degrade", "critic", "upscale")
    ]

    def reference(networks, batches, average):
        degrade, critic, upscale = (networks[n] for n in ("degrade", "critic", "upscale"))
        optimizers = {n: adam(net, 2e-4, (0.9, 0.999)) for n, net in networks.items()}
        for iteration, batch in enumerate(batches):
            hr, real_lr = batch["hr"], batch["real_lr"]
            halvings = (iteration >= 2) + (iteration >= 4)
            for optimizer in optimizers.values():
                optimizer.param_groups[0]["lr"] = 2e-4 * 0.5**halvings
            draw_again(iteration)
            kernel_draw = torch.randn(len(hr), 4, 1, 1, dtype=torch.float64)
            noise_draw = torch.randn(len(hr), 3, 8, 8, dtype=torch.float64)

            freeze(critic)
            fake_lr, _, noise = degrade(hr, kernel_draw, noise_draw)
            adversarial = (critic(fake_lr) - 1).square().mean()
            descend(optimizers["degrade"], adversarial + 100 * noise.square().mean(), clip)
            fake_lr = fake_lr.detach()
            freeze(critic, False)

            judged = ((critic(real_lr) - 1).square().mean() + critic(fake_lr).square().mean()) / 2
            descend(optimizers["critic"], judged, clip)

            descend(optimizers["upscale"], (upscale(quantise(fake_lr)) - hr).abs().mean(), clip)
            move_average(average, upscale, iteration)

    compare([*of("pdm"), *clips, *milestones], reference)
