"""What training steps that are written out by hand share: plain torch, nothing of the loop's."""

import torch

from wildsr.seed import mix_seeds

ITERATIONS, SEED = 6, 7


def draw_again(iteration):
    """The state of the generator that the loop gives to an iteration."""
    torch.manual_seed(mix_seeds(SEED, iteration, 0))


def quantise(image):
    """8 bits forward, the identity backward."""
    return image + ((image.clamp(0, 1) * 255).round() / 255 - image).detach()


def descend(optimizers, loss, clip=None):
    """One step of an optimiser, or of several on one loss and under one limit of the norm."""
    optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    if clip is not None:
        parameters = [p for o in optimizers for group in o.param_groups for p in group["params"]]
        norm = torch.sqrt(sum(p.grad.square().sum() for p in parameters))
        for parameter in parameters:
            parameter.grad *= min(1, clip / (norm.item() + 1e-6))
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()


def adam(network, rate, betas, eps=1e-8):
    return torch.optim.Adam(network.parameters(), lr=rate, betas=betas, eps=eps)


def freeze(network, frozen=True):
    network.requires_grad_(not frozen)


@torch.no_grad()
def move_average(average, network, iteration):
    decay = min(0.5, (1 + iteration) / (10 + iteration))
    for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
        mean.copy_(decay * mean + (1 - decay) * weight)


def bicubic(hr, scale=4):
    """Shrunk by antialiased bicubic, in 8 bits."""
    shrunk = torch.nn.functional.interpolate(
        hr, scale_factor=1 / scale, mode="bicubic", antialias=True
    )
    return (shrunk.clamp(0, 1) * 255).round() / 255


def l1(x, y):
    return (x - y).abs().mean()


def l2(x, y):
    return (x - y).square().mean()


def judged(critic, real, fake):
    """Least squares, labels 1 and 0."""
    return ((critic(real) - 1).square().mean() + critic(fake).square().mean()) / 2


def fooled(critic, fake):
    return (critic(fake) - 1).square().mean()
