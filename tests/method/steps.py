"""What training steps that are written out by hand have in common."""

import torch

from wildsr.training import _mix

ITERATIONS, SEED = 6, 7


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


def adam(network, rate, betas, eps=1e-8):
    return torch.optim.Adam(network.parameters(), lr=rate, betas=betas, eps=eps)


def freeze(network, frozen=True):
    network.requires_grad_(not frozen)


@torch.no_grad()
def move_average(average, network, iteration):
    decay = min(0.5, (1 + iteration) / (10 + iteration))
    for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
        mean.copy_(decay * mean + (1 - decay) * weight)
