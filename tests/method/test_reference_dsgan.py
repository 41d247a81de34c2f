"""DSGAN and ESRGAN-FS (Fritsche et al. 2019), both stages, written out by hand."""

import pytest
import torch
from support.step_by_hand import adam, descend, freeze, move_average, quantise
from torch.nn import functional as F

from wildsr.loss.content import Content

pytestmark = pytest.mark.heavy

DEGRADING = 3  # of six iterations
RATES = {"degrade": 2e-4, "critic": 2e-4, "critic_hr": 1e-4, "upscale": 1e-4}
BETAS = {"degrade": (0.5, 0.999), "critic": (0.5, 0.999)}
# A bias before a normalisation has a gradient of rounding errors, which 1e-8 would turn into steps.
EPS = 1e-3


def low(image, size):
    return F.avg_pool2d(image, size, stride=1)


def high(image, size):
    padded = F.pad(image, [size // 2] * 4, mode="replicate")
    return image - F.avg_pool2d(padded, size, stride=1)


def judged(critic, image, size):
    """Logits of the high frequencies; the critic's own front-end is left out."""
    return critic.stages(high(image, size))[-1]


def log_not(logits):
    """log(1 - sigmoid)."""
    return F.logsigmoid(-logits)


def relativistic(better, worse):
    """Half of -E log s(better - E worse) - E log(1 - s(worse - E better))."""
    wins, loses = better - worse.mean(), worse - better.mean()
    return -(F.logsigmoid(wins).mean() + log_not(loses).mean()) / 2


def seen(sr, hr):
    """The distance of VGG's features, whose layers tests/loss looks into."""
    content = Content({"conv5_4": 1})
    return content(content.encoder(sr), content.encoder(hr))


def degrading(networks, optimizers, hr, real_lr):
    degrade, critic = networks["degrade"], networks["critic"]
    clean_lr = F.interpolate(hr, scale_factor=0.25, mode="bicubic", antialias=True).clamp(0, 1)

    fake_lr = degrade(clean_lr).detach()
    real, fake = judged(critic, real_lr, 5), judged(critic, fake_lr, 5)
    descend(optimizers["critic"], -F.logsigmoid(real).mean() - log_not(fake).mean())

    freeze(critic)
    fake_lr = degrade(clean_lr)
    colour = (low(fake_lr, 5) - low(clean_lr, 5)).abs().mean()
    texture = -F.logsigmoid(judged(critic, fake_lr, 5)).mean()
    descend(optimizers["degrade"], colour + 0.005 * texture)
    freeze(critic, False)

    upscale = networks["upscale"]
    descend(optimizers["upscale"], (upscale(clean_lr) - hr).abs().mean())


def upscaling(networks, optimizers, hr):
    upscale, critic = networks["upscale"], networks["critic_hr"]
    with torch.no_grad():
        clean_lr = F.interpolate(hr, scale_factor=0.25, mode="bicubic", antialias=True).clamp(0, 1)
        lr = quantise(networks["degrade"](clean_lr))

    freeze(critic)
    sr = upscale(lr)
    real, fake = judged(critic, hr, 9), judged(critic, sr, 9)
    pixel, colour = (sr - hr).abs().mean(), (low(sr, 9) - low(hr, 9)).abs().mean()
    descend(
        optimizers["upscale"],
        10 * pixel + seen(sr, hr) + 0.01 * colour + 0.005 * relativistic(fake, real.detach()),
    )
    freeze(critic, False)

    sr = sr.detach()
    real, fake = judged(critic, hr, 9), judged(critic, sr, 9)
    descend(optimizers["critic_hr"], relativistic(real, fake))


def test_dsgan(compare, of):
    def reference(networks, batches, averages):
        optimizers = {
            n: adam(net, RATES[n], BETAS.get(n, (0.9, 0.999)), EPS) for n, net in networks.items()
        }
        for iteration, batch in enumerate(batches):
            if iteration < DEGRADING:  # no decay in the first half of 2 iterations, half of it then
                for name in ("degrade", "critic"):
                    left = [1, 1, 0.5][iteration]
                    optimizers[name].param_groups[0]["lr"] = RATES[name] * left
                degrading(networks, optimizers, batch["hr"], batch["real_lr"])
            else:  # the upscaler's is halved at 4, the critic's at the second of its stage
                for name in ("upscale", "critic_hr"):
                    halved = iteration > DEGRADING
                    optimizers[name].param_groups[0]["lr"] = RATES[name] * (0.5 if halved else 1)
                upscaling(networks, optimizers, batch["hr"])
            move_average(averages["upscale"], networks["upscale"], iteration)

    shorter = [
        f"method.schedules.{n}.{key}={value}"
        for n in ("degrade", "critic")
        for key, value in (("hold", 1 / 3), ("until", 3))
    ]
    shorter += [
        f"method.schedules.{n}.milestones=[{i}]" for n, i in (("upscale", 4), ("critic_hr", 1))
    ]
    eps = [
        f"+method.optimizers.{n}.eps={EPS}" for n in ("degrade", "critic", "upscale", "critic_hr")
    ]
    compare([*of("dsgan"), *shorter, *eps], reference)
