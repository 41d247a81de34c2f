"""LUD-VAE (Zheng et al. 2022), both stages, written out by hand."""

import torch
from support.step_by_hand import adam, descend, draw_again, l1, l2, move_average, quantise
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

DEGRADING = 3  # of six iterations
LEVELS, FEATURES, RAMP, WEIGHT = 3, 4, 2, 0.01


def drawn(lr):
    """What the model draws: for the noise on clean images, then each latent map from the top."""
    shape = (len(lr), FEATURES, *lr.shape[2:])
    return torch.randn_like(lr), [torch.randn(shape, dtype=lr.dtype) for _ in range(LEVELS)]


def bound(degrade, clean_lr, real_lr, weight):
    """Minus the evidence lower bound, but for constants: half of the batch is clean."""
    grain, latents = drawn(clean_lr)
    real_grain = torch.randn_like(real_lr)
    clean = l2(degrade.clean(clean_lr, grain), clean_lr)
    again, mean, log_std, prior_mean, prior_log_std = degrade.real(real_lr, real_grain, *latents)
    loss = (clean + l2(again, real_lr)) / 2
    if not weight:  # the divergence is only logged
        return loss
    posterior, prior = Normal(mean, log_std.exp()), Normal(prior_mean, prior_log_std.exp())
    return loss + weight * kl_divergence(posterior, prior).sum() / real_lr.numel()


def test_lud_vae(compare, of):
    def reference(networks, batches, averages):
        degrade, upscale = networks["degrade"], networks["upscale"]
        optimizers = {n: adam(net, 1e-4, (0.9, 0.999)) for n, net in networks.items()}
        for iteration, batch in enumerate(batches):
            hr, real_lr = batch["hr"], batch["real_lr"]
            small = F.interpolate(hr, scale_factor=0.25, mode="bicubic", antialias=True)
            clean_lr = small.clamp(0, 1)
            draw_again(iteration)
            if iteration < DEGRADING:
                halved = 0.5 if iteration >= 2 else 1
                optimizers["degrade"].param_groups[0]["lr"] = 1e-4 * halved
                weight = WEIGHT * min(1, iteration / RAMP)
                descend(optimizers["degrade"], bound(degrade, clean_lr, real_lr, weight))
                descend(optimizers["upscale"], l1(upscale(clean_lr), hr))
            else:
                grain, latents = drawn(clean_lr)
                with torch.no_grad():
                    lr = quantise(degrade(clean_lr, grain, *latents))
                descend(optimizers["upscale"], l1(upscale(lr), hr))
            move_average(averages["upscale"], upscale, iteration)

    shorter = ["method.schedules.degrade.milestones=[2]"]
    shorter += [
        f"method.updates.degrade.terms.kl.{o}" for o in (f"ramp={RAMP}", f"weight={WEIGHT}")
    ]
    compare([*of("lud_vae"), *shorter], reference)
