"""DASR (Wei et al. 2021), both stages, written out by hand."""

import pytest
import torch
from support.step_by_hand import adam, descend, freeze, move_average, quantise
from torch.nn import functional as F

from wildsr.loss.st_lpips import STLPIPS

DEGRADING = 2  # of six iterations
BETAS = {"degrade": (0.5, 0.999), "critic": (0.5, 0.999)}
# A bias before a normalisation has a gradient of rounding errors, which 1e-8 would turn into steps.
EPS = 1e-3


def haar(image):
    """(ll, (lh, hl, hh)) of 2 x 2 blocks [[a, b], [c, d]]."""
    a, b = image[..., ::2, ::2], image[..., ::2, 1::2]
    c, d = image[..., 1::2, ::2], image[..., 1::2, 1::2]
    details = (a + b - c - d, a - b + c - d, a - b - c + d)
    return (a + b + c + d) / 2, torch.cat(details, 1) / 2


def judged(critic, image):
    """Logits of the high bands; the critic's own front-end is left out."""
    return critic.stages(haar(image)[1])[-1]


def domain_distance(scores, side):
    """Each pixel's mean over the scores that saw it, one by one, enlarged to four times the size.

    Two layers of 5 and one of 1 on half the size: score i sees coefficients i - 4 to i + 4, which
    are the pixels 2 i - 8 to 2 i + 9.
    """
    places = range(scores.shape[-1])
    low = scores.new_zeros(len(scores), 1, side, side)
    for y in range(side):
        for x in range(side):
            seen = [
                scores[:, :, i, j]
                for i in places
                for j in places
                if 2 * i - 8 <= y <= 2 * i + 9 and 2 * j - 8 <= x <= 2 * j + 9
            ]
            low[:, :, y, x] = sum(seen) / len(seen)
    return F.interpolate(low, scale_factor=4, mode="bilinear")


def degrading(networks, optimizers, hr, real_lr):
    degrade, critic = networks["degrade"], networks["critic"]
    clean_lr = F.interpolate(hr, scale_factor=0.25, mode="bicubic", antialias=True).clamp(0, 1)

    fake_lr = degrade(hr).detach()
    real, fake = judged(critic, real_lr), judged(critic, fake_lr)
    loss = -torch.sigmoid(real).log().mean() - (1 - torch.sigmoid(fake)).log().mean()
    descend(optimizers["critic"], loss)

    freeze(critic)
    fake_lr = degrade(hr)
    colour = (haar(fake_lr)[0] / 2 - haar(clean_lr)[0] / 2).abs().mean()
    texture = -torch.sigmoid(judged(critic, fake_lr)).log().mean()
    descend(optimizers["degrade"], colour + 0.005 * texture)
    freeze(critic, False)


def upscaling(networks, optimizers, hr, real_lr, other_hr):
    upscale, critic = networks["upscale"], networks["critic_hr"]
    with torch.no_grad():
        fake_lr = networks["degrade"](hr)
        scores = torch.sigmoid(judged(networks["critic"], fake_lr))
        weight = domain_distance(scores, fake_lr.shape[-1])

    freeze(critic)
    sr_fake, sr_real = upscale(quantise(fake_lr)), upscale(real_lr)
    pixel = (weight * (sr_fake - hr).abs()).mean()
    low = (haar(sr_fake)[0] / 2 - haar(hr)[0] / 2).abs().mean()
    adversarial = -torch.sigmoid(judged(critic, sr_real)).log().mean()
    perceptual = STLPIPS()
    seen = perceptual(perceptual.encoder(sr_fake), perceptual.encoder(hr))
    descend(optimizers["upscale"], pixel + low + seen + 0.005 * adversarial)
    freeze(critic, False)

    real, fake = judged(critic, other_hr), judged(critic, sr_real.detach())
    loss = -torch.sigmoid(real).log().mean() - (1 - torch.sigmoid(fake)).log().mean()
    descend(optimizers["critic_hr"], loss / 2)


@pytest.mark.heavy
def test_dasr(compare, of):
    def reference(networks, batches, averages):
        optimizers = {
            n: adam(net, 1e-4, BETAS.get(n, (0.9, 0.999)), EPS) for n, net in networks.items()
        }
        for iteration, batch in enumerate(batches):
            if iteration < DEGRADING:
                degrading(networks, optimizers, batch["hr"], batch["real_lr"])
                continue
            for name in ("upscale", "critic_hr"):  # halved once, at the third of the stage
                halved = iteration >= DEGRADING + 2
                optimizers[name].param_groups[0]["lr"] = 1e-4 * (0.5 if halved else 1)
            upscaling(networks, optimizers, batch["hr"], batch["real_lr"], batch["other_hr"])
            move_average(averages["upscale"], networks["upscale"], iteration - DEGRADING)

    shorter = [f"method.schedules.{n}.milestones=[2]" for n in ("upscale", "critic_hr")]
    eps = [
        f"+method.optimizers.{n}.eps={EPS}" for n in ("degrade", "critic", "upscale", "critic_hr")
    ]
    compare([*of("dasr"), *shorter, *eps], reference)
