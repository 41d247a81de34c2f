"""The domain-distance map of DASR."""

import pytest
import torch
from torch import nn

from wildsr.error import UserError
from wildsr.method.dasr import DASR
from wildsr.network.critic.patch import PatchCritic
from wildsr.network.critic.unet import UNetCritic
from wildsr.network.front.front import Haar


def step(critic, hr, degrade=None):
    degrade = degrade or nn.AvgPool2d(4)
    return DASR({"critic": critic, "degrade": degrade}, {"hr": hr, "real_lr": hr}, 4)


def constant_critic(logit):
    critic = PatchCritic(2, 2, 5, norm="none", front=Haar(), last_kernel=1)
    nn.init.zeros_(critic.body[-1].weight)
    nn.init.constant_(critic.body[-1].bias, logit)
    return critic


def test_a_critic_of_one_mind_gives_one_weight():
    hr = torch.rand(2, 3, 32, 24)
    found = step(constant_critic(0.0), hr).domain_distance
    torch.testing.assert_close(found, torch.full((2, 1, 32, 24), 0.5))
    found = step(constant_critic(2.0), hr).domain_distance
    torch.testing.assert_close(
        found, torch.full((2, 1, 32, 24), 1 / (1 + torch.tensor(-2.0).exp()))
    )


def test_weights_are_large_where_the_lr_was_taken_for_real():
    """A critic that wants contrast between rows; the left half of the image has it."""
    critic = PatchCritic(1, 1, 1, norm="none", front=Haar(["lh"]))
    (first, _, last) = critic.body
    with torch.no_grad():
        first.weight.fill_(5)
        last.weight.fill_(1)
        first.bias.zero_()
        last.bias.zero_()
    lr = torch.zeros(1, 3, 8, 8)
    lr[:, :, ::2, :4] = 1  # lh is (1 + 1 - 0 - 0) / 2 = 1 there, in three channels
    hr = lr.repeat_interleave(4, 2).repeat_interleave(4, 3)
    found = step(critic, hr).domain_distance
    assert found.shape == (1, 1, 32, 32)
    real = torch.sigmoid(torch.tensor(15.0)).item()
    torch.testing.assert_close(found[..., :14], torch.full((1, 1, 32, 14), real))
    torch.testing.assert_close(found[..., 18:], torch.full((1, 1, 32, 14), 0.5))
    # Bilinear between pixels 3 and 4: HR 14, 15, 16, 17 are 1/8, 3/8, 5/8, 7/8 of the way.
    shares = torch.tensor([1, 3, 5, 7]) / 8
    torch.testing.assert_close(found[0, 0, 0, 14:18], real + (0.5 - real) * shares)


def test_the_map_is_a_constant_for_the_upscaler():
    made = step(constant_critic(0.0), torch.rand(1, 3, 32, 32))
    made.begin(frozenset({"upscale"}))
    assert not made.domain_distance.requires_grad


def test_a_critic_without_windows_is_refused():
    with pytest.raises(UserError, match=r"needs a `network/critic` of patches.*got UNetCritic"):
        _ = step(UNetCritic(2), torch.rand(1, 3, 64, 64)).domain_distance
