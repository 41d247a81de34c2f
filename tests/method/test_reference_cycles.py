"""Bulat, CycleSR, CinCGAN and Maeda against their papers' equations, all stages included.

Every step is written without freezing: whatever reaches a network that its optimiser does not move
is dropped before its own step.
"""

import torch
from support.step_by_hand import (
    adam,
    bicubic,
    descend,
    draw_again,
    fooled,
    judged,
    l1,
    l2,
    move_average,
    quantise,
)

# The bias before a normalisation gets a gradient of rounding errors only, of which Adam with its
# default of 1e-8 makes steps.
EPS = 1e-5


def with_eps(*names):
    return [f"+method.optimizers.{name}.eps={EPS}" for name in names]


def test_bulat(compare, of):
    """fake = H2L(hr, z); 1 MSE in [-1, 1] + 0.05 hinge; L2H gets a constant fake."""

    def hinge(critic, real, fake):
        # together: a spectral norm takes one step of its power iteration for each pass
        real, fake = critic(torch.cat([real, fake])).chunk(2)
        return ((1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()) / 2

    def reference(networks, batches, averages):
        degrade, upscale = networks["degrade"], networks["upscale"]
        critic, critic_hr = networks["critic"], networks["critic_hr"]
        optimizers = {n: adam(net, 1e-4, (0.0, 0.9)) for n, net in networks.items()}
        for iteration, batch in enumerate(batches):
            hr, real_lr = batch["hr"], batch["real_lr"]
            draw_again(iteration)
            fake = degrade(hr, torch.randn(2, 64, 1, 1, dtype=torch.float64))
            pooled = hr.reshape(2, 3, 8, 4, 8, 4).mean((3, 5))
            descend(
                optimizers["degrade"], l2(2 * fake - 1, 2 * pooled - 1) - 0.05 * critic(fake).mean()
            )
            fake = fake.detach()

            sr = upscale(quantise(fake))
            descend(optimizers["upscale"], l2(2 * sr - 1, 2 * hr - 1) - 0.05 * critic_hr(sr).mean())

            descend(optimizers["critic"], hinge(critic, real_lr, fake))
            descend(optimizers["critic_hr"], hinge(critic_hr, hr, sr.detach()))
            move_average(averages["upscale"], upscale, iteration)

    compare(of("bulat"), reference)


def test_cyclesr(compare, of):
    """Two iterations of CycleGAN alone, one of SR on bicubic pairs, three of both."""
    clip = 0.01
    tuned = [f"method.updates.{u}.clip={clip}" for u in ("judge", "translate", "joint", "upscale")]
    tuned += ["method.updates.bicubic.clip=0.01", "method.schedules.upscale.hold=0.25"]
    tuned += ["method.stages.translate=2", "method.stages.bicubic=1", "method.stages.joint=3"]

    def reference(networks, batches, averages):
        g, f, upscale = (networks[n] for n in ("degrade", "clean", "upscale"))
        d_real, d_clean = networks["critic"], networks["critic_clean"]
        rates = {n: 1e-4 if n == "upscale" else 2e-4 for n in networks}
        optimizers = {n: adam(net, rates[n], (0.5, 0.999), EPS) for n, net in networks.items()}
        for iteration, batch in enumerate(batches):
            hr, real_lr, clean_lr = batch["hr"], batch["real_lr"], bicubic(batch["hr"])
            for name, optimizer in optimizers.items():
                left = 1 - (iteration - 2 if name == "upscale" else iteration) / 6
                factor = min(1, left / (0.75 if name == "upscale" else 0.5))
                optimizer.param_groups[0]["lr"] = rates[name] * factor
            if iteration == 2:
                descend(optimizers["upscale"], l2(upscale(clean_lr), hr), clip)
                move_average(averages["upscale"], upscale, 0)
                continue

            fake, cleaned = g(clean_lr), f(real_lr)
            critics = judged(d_real, real_lr, fake.detach())
            critics = critics + judged(d_clean, clean_lr, cleaned.detach())
            descend([optimizers["critic"], optimizers["critic_clean"]], critics, clip)

            loss = fooled(d_real, fake) + fooled(d_clean, cleaned)
            loss = loss + 10 * l1(f(fake), clean_lr) + 10 * l1(g(cleaned), real_lr)
            loss = loss + 5 * l1(g(real_lr), real_lr) + 5 * l1(f(clean_lr), clean_lr)
            if iteration > 2:
                loss = loss + 1000 * l2(upscale(quantise(fake)), hr)
            descend([optimizers["degrade"], optimizers["clean"]], loss, clip)

            if iteration > 2:
                descend(optimizers["upscale"], l2(upscale(quantise(fake.detach())), hr), clip)
                move_average(averages["upscale"], upscale, iteration - 2)

    names = ("degrade", "clean", "upscale", "critic", "critic_clean")
    compare([*of("cyclesr"), *tuned, *with_eps(*names)], reference)


def test_cincgan(compare, of):
    """Three iterations of the cycle at LR size, three of both; G1 moves twice in the latter."""

    def roughness(image):
        across = (image[..., :, 1:] - image[..., :, :-1]).square().mean()
        return across + (image[..., 1:, :] - image[..., :-1, :]).square().mean()

    def reference(networks, batches, averages):
        g1, g2, g3 = (networks[n] for n in ("clean", "degrade", "shrink"))
        upscale, d1, d2 = (networks[n] for n in ("upscale", "critic", "critic_hr"))
        rates = {n: 2e-4 if n in ("clean", "degrade", "critic") else 1e-4 for n in networks}
        optimizers = {n: adam(net, rates[n], (0.5, 0.999), EPS) for n, net in networks.items()}
        for iteration, batch in enumerate(batches):
            hr, real_lr, clean_lr = batch["hr"], batch["real_lr"], bicubic(batch["hr"])
            joint = iteration >= 3
            for name in ("clean", "degrade", "critic"):
                optimizers[name].param_groups[0]["lr"] = 1e-4 if joint else 2e-4
            if not joint:  # the start that the paper takes from elsewhere
                descend(optimizers["upscale"], l1(upscale(clean_lr), hr))

            cleaned = g1(real_lr)
            loss = fooled(d1, cleaned) + 10 * l1(g2(cleaned), real_lr)
            loss = loss + 5 * l1(g1(clean_lr), clean_lr) + 0.5 * roughness(cleaned)
            descend([optimizers["clean"], optimizers["degrade"]], loss)
            descend(optimizers["critic"], judged(d1, clean_lr, cleaned.detach()))

            if joint:
                sr = upscale(g1(real_lr))
                loss = fooled(d2, sr) + 10 * l1(g3(sr), real_lr)
                loss = loss + 5 * l1(upscale(clean_lr), hr) + 2 * roughness(sr)
                descend([optimizers[n] for n in ("clean", "upscale", "shrink")], loss)
                descend(optimizers["critic_hr"], judged(d2, hr, sr.detach()))
            for name, average in averages.items():
                move_average(average, networks[name], iteration)

    names = ("clean", "degrade", "shrink", "upscale", "critic", "critic_hr")
    compare([*of("cincgan"), *with_eps(*names)], reference)


def test_maeda(compare, of):
    """One loss for both translators and the upscaler, then the three critics."""
    seen = set()

    def turned(image, way, back):
        flips = [-1] * (way % 2) + [-2] * (way // 2 % 2)
        if back:
            return (image.mT if way >= 4 else image).flip(flips)
        return image.flip(flips).mT if way >= 4 else image.flip(flips)

    def reference(networks, batches, averages):
        g_yx, g_xy, upscale = (networks[n] for n in ("degrade", "clean", "upscale"))
        d_x, d_y, d_u = (networks[n] for n in ("critic", "critic_clean", "critic_hr"))
        optimizers = {
            n: adam(net, 1e-4, (0.9 if n == "upscale" else 0.5, 0.999), EPS)
            for n, net in networks.items()
        }
        for iteration, batch in enumerate(batches):
            hr, real_lr, clean_lr = batch["hr"], batch["real_lr"], bicubic(batch["hr"])
            draw_again(iteration)
            z = torch.randn(2, 1, 8, 8, dtype=torch.float64)
            way = int(torch.randint(8, ()))
            seen.add(way)

            fake = g_yx(clean_lr, z)
            pseudo, cleaned = g_xy(fake), g_xy(real_lr)
            sr, sr_real = upscale(pseudo), upscale(cleaned)
            loss = fooled(d_x, fake) + fooled(d_y, cleaned)
            loss = loss + 0.1 * (fooled(d_u, sr) + d_u(sr_real).square().mean())
            loss = loss + l1(pseudo, clean_lr) + l1(g_xy(clean_lr), clean_lr)
            loss = loss + l1(cleaned, turned(g_xy(turned(real_lr, way, False)), way, True))
            loss = loss + l1(sr, hr)
            descend([optimizers[n] for n in ("degrade", "clean", "upscale")], loss)

            descend(optimizers["critic"], judged(d_x, real_lr, fake.detach()))
            descend(optimizers["critic_clean"], judged(d_y, clean_lr, cleaned.detach()))
            descend(optimizers["critic_hr"], judged(d_u, sr_real.detach(), sr.detach()))
            for name, average in averages.items():
                move_average(average, networks[name], iteration)

    names = ("degrade", "clean", "upscale", "critic", "critic_clean", "critic_hr")
    compare([*of("maeda"), *with_eps(*names)], reference)
    assert len(seen) > 2, "the photos were laid in different ways"
