"""Each shipped method equals a training step written out by hand, from its paper's equations."""

import torch
from support.step_by_hand import adam, descend, draw_again, freeze, move_average, quantise
from torch.nn import functional as F

from wildsr.loss.moments import LocalMoments


def test_supervised(compare):
    def reference(networks, batches, averages):
        upscale = networks["upscale"]
        optimizer = adam(upscale, 1e-3, (0.8, 0.9))
        for iteration, batch in enumerate(batches):
            hr = batch["hr"]
            lr = F.interpolate(hr, scale_factor=0.25, mode="bicubic", antialias=True)
            lr = (lr.clamp(0, 1) * 255).round() / 255
            descend(optimizer, (upscale(lr) - hr).abs().mean())
            move_average(averages["upscale"], upscale, iteration)

    adams = ["method.optimizers.upscale.lr=1e-3", "method.optimizers.upscale.betas=[0.8,0.9]"]
    compare(["method=supervised", "degradation=bicubic", *adams], reference)


RATES, BETAS = {"degrade": 1e-2, "critic": 1e-3, "upscale": 5e-4}, (0.5, 0.9)


def test_adversarial_camera(compare):
    """Least squares on lr = quantise(camera(hr)), R1; L1 on the LR from before the steps."""

    def reference(networks, batches, averages):
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
            move_average(averages["upscale"], upscale, iteration)

    tuned = [  # what may be tuned without changing what the method is
        *[f"method.optimizers.{n}.lr={r}" for n, r in RATES.items()],
        *[f"method.optimizers.{n}.betas={list(BETAS)}" for n in RATES],
        *[
            f"++method.schedules.{n}={{_target_: wildsr.training.schedule.Inverse, half: 3}}"
            for n in RATES
        ],
        "method.updates.judge.terms.smooth.weight=0.5",
    ]
    compare(["method=adversarial_camera", *tuned], reference)


def test_wild_residual(compare, of):
    """A stage of the camera's network: moments, and little change; then L1 through both."""

    def reference(networks, batches, averages):
        camera, upscale = networks["degrade"], networks["upscale"]
        optimizers = adam(camera.residual, 1e-3, (0.9, 0.99)), adam(upscale, 5e-4, (0.9, 0.99))
        alike = LocalMoments()
        for iteration, batch in enumerate(batches):
            hr, real_lr = batch["hr"], batch["real_lr"]
            draw_again(iteration)
            draws = camera.draws(hr)
            fake_lr = quantise(camera(hr, draws))
            if iteration < 3:
                plain_lr = quantise(camera.plain(hr, draws)).detach()
                loss = alike(real_lr, fake_lr) + 0.5 * (fake_lr - plain_lr).abs().mean()
                descend(optimizers[0], loss)
            else:
                descend(optimizers[1], (upscale(fake_lr.detach()) - hr).abs().mean())
                move_average(averages["upscale"], upscale, iteration - 3)

    stages = ["method.stages={residual: 1, learn: 1}", "finish=none"]
    little = ["method.updates.degrade.terms.little.weight=0.5"]
    compare([*of("wild_residual"), *stages, *little], reference)


def test_pdm(compare, of):
    """Deg, D1, SR, the last two on the LR from before the degrader's step; norms clipped."""
    clip, clips = 1e-3, [f"method.updates.{u}.clip=1e-3" for u in ("degrade", "judge", "upscale")]
    milestones = [
        f"method.schedules.{n}.milestones=[2,4]" for n in ("degrade", "critic", "upscale")
    ]

    def reference(networks, batches, averages):
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
            move_average(averages["upscale"], upscale, iteration)

    compare([*of("pdm"), *clips, *milestones], reference)
