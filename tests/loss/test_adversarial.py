import math
from typing import get_type_hints

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.loss.adversarial import GAMES, Fool, Judge
from wildsr.network.critic.multiscale import MultiScaleCritic
from wildsr.network.critic.patch import PatchCritic
from wildsr.network.critic.unet import UNetCritic
from wildsr.network.front.front import Noise

KINDS = ["least_squares", "vanilla", "hinge", "relativistic", "wasserstein", "absolute"]


class Same(nn.Module):
    """Its logits are the image; counts its calls."""

    calls = 0

    def forward(self, image):
        self.calls += 1
        return image


def logits(*values):
    return torch.tensor(values).view(-1, 1, 1, 1)


def softplus(*values):
    return sum(math.log1p(math.exp(v)) for v in values) / len(values)


def sigmoid(*values):
    return sum(1 / (1 + math.exp(-v)) for v in values) / len(values)


REAL, FAKE = logits(2.0, 0.0), logits(1.0, -2.0)
BY_HAND = {
    # fool, judge
    "least_squares": ((0 + 9) / 2, ((1 + 1) / 2 + (1 + 4) / 2) / 2),
    "vanilla": (softplus(-1, 2), (softplus(-2, 0) + softplus(1, -2)) / 2),
    "hinge": (0.5, ((0 + 1) / 2 + (2 + 0) / 2) / 2),
    # Means 1 and -1/2: real beats the average fake by 5/2 and 1/2, fake the average real by 0, -3.
    "relativistic": (
        (softplus(0, 3) + softplus(2.5, 0.5)) / 2,
        (softplus(-2.5, -0.5) + softplus(0, -3)) / 2,
    ),
    "wasserstein": (0.5, -0.5 - 1),
    "absolute": (
        1 - sigmoid(1, -2),
        ((1 - sigmoid(2, 0)) + sigmoid(1, -2)) / 2,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_by_hand(kind):
    fool, judge = BY_HAND[kind]
    assert Fool(kind)(critic=Same(), fake=FAKE, real=REAL).item() == pytest.approx(fool)
    assert Judge(kind)(critic=Same(), real=REAL, fake=FAKE).item() == pytest.approx(judge)
    assert set(GAMES) == set(KINDS)


def test_against_binary_cross_entropy():
    real, fake = torch.randn(2, 3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    entropy, one = F.binary_cross_entropy_with_logits, torch.ones(3, 1, 4, 4)
    judge = Judge("vanilla")(Same(), real, fake)
    torch.testing.assert_close(judge, (entropy(real, one) + entropy(fake, 0 * one)) / 2)
    fool = Fool("relativistic")(Same(), fake, real)
    a, b = entropy(real - fake.mean(), 0 * one), entropy(fake - real.mean(), one)
    torch.testing.assert_close(fool, (a + b) / 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_better_fake_fools_more_and_a_better_critic_judges_better(kind):
    assert Fool(kind)(Same(), FAKE + 0.5, REAL) < Fool(kind)(Same(), FAKE, REAL)
    assert Judge(kind)(Same(), REAL + 0.1, FAKE) <= Judge(kind)(Same(), REAL, FAKE) or (
        kind == "least_squares"  # which asks for 1, not for more
    )
    assert Judge(kind)(Same(), REAL, FAKE - 0.1) != Judge(kind)(Same(), REAL, FAKE)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    real, fake = (torch.randn(3, 1, 2, 1, dtype=torch.float64, requires_grad=True) for _ in "ab")
    assert gradcheck(lambda r, f: Fool(kind)(Same(), f, r), (real, fake))
    assert gradcheck(lambda r, f: Judge(kind)(Same(), r, f), (real, fake))


@pytest.mark.parametrize("critic", [PatchCritic(4), UNetCritic(4), MultiScaleCritic(2, 4)])
@pytest.mark.parametrize("kind", KINDS)
def test_fooling_does_not_depend_on_a_frozen_critic(kind, critic):
    critic.eval()  # spectral norms move in training mode
    real, fake = torch.rand(2, 2, 3, 8, 8)
    results = []
    for thawed in (True, False):
        critic.requires_grad_(thawed)
        leaf = fake.clone().requires_grad_()
        value = Fool(kind)(critic, leaf, real)
        value.backward()
        results.append((value.detach(), leaf.grad))
        critic.zero_grad()
    torch.testing.assert_close(*results)
    assert results[0][1].abs().sum() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_judging_trains_the_critic_and_detaches_nothing(kind):
    critic = PatchCritic(4)
    fake = torch.rand(2, 3, 8, 8, requires_grad=True)
    Judge(kind)(critic, torch.rand(2, 3, 8, 8), fake).backward()
    assert critic.body[0].weight.grad.abs().sum() > 0
    assert fake.grad is not None


def test_one_call_unless_shapes_or_batch_norm_forbid():
    critic = Same()
    together = Judge()(critic, torch.ones(2, 1, 4, 4), torch.zeros(3, 1, 4, 4))
    assert (critic.calls, together.item()) == (1, 0)
    Judge()(critic, torch.ones(2, 1, 4, 4), torch.zeros(2, 1, 8, 8))
    assert critic.calls == 3

    class Normalised(Same):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(1, affine=False)

        def forward(self, image):
            return super().forward(self.norm(image))

    critic, images = Normalised(), torch.rand(2, 4, 1, 4, 4)
    value = Judge()(critic, *images)
    assert critic.calls == 2
    apart = [F.batch_norm(x, None, None, training=True) for x in images]
    torch.testing.assert_close(value, Judge()(Same(), *apart))


def test_logits_are_raised_to_float32():
    value = Judge()(Same(), torch.full((1, 1), 300).half(), torch.zeros(1, 1).half())
    assert value.item() == 299**2 / 2  # infinite in float16


class Twice(nn.Module):
    """Two scales: the image, and the negative of its first row."""

    def forward(self, image):
        return image, -image[:, :, :1]


@pytest.mark.parametrize("kind", KINDS)
def test_scales_are_averaged(kind):
    torch.manual_seed(0)
    real, fake = torch.randn(2, 3, 1, 4, 5)
    first, second = (x[:, :, :1] * -1 for x in (real, fake))
    fool, judge = Fool(kind), Judge(kind)
    expected = (fool(Same(), fake, real) + fool(Same(), second, first)) / 2
    torch.testing.assert_close(fool(Twice(), fake, real), expected)
    expected = (judge(Same(), real, fake) + judge(Same(), first, second)) / 2
    torch.testing.assert_close(judge(Twice(), real, fake), expected)


def test_every_scale_is_trained():
    critic = MultiScaleCritic(3, 2)
    Judge()(critic, torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)).backward()
    for name, parameter in critic.named_parameters():
        assert parameter.grad.isfinite().all(), name
    assert all(one.body[0].weight.grad.abs().sum() > 0 for one in critic.critics)


def test_real_and_fake_get_draws_of_their_own():
    class Kept(Noise):
        def forward(self, image):
            self.seen = super().forward(image)
            return self.seen

    front, grey = Kept(0.1), torch.full((2, 3, 8, 8), 0.5)
    Judge()(PatchCritic(2, 1, front=front), grey, grey)
    assert front.seen.shape == (4, 3, 8, 8)
    assert len({tuple(x.flatten().tolist()) for x in front.seen}) == 4


def test_mistakes_are_named():
    for side in (Fool, Judge):
        with pytest.raises(UserError, match=r"`kind` must be one of .* Did you mean 'hinge'"):
            side("hing")
    with pytest.raises(UserError, match="`real` must be given for `kind` 'relativistic'"):
        Fool("relativistic")(Same(), FAKE)


@pytest.mark.parametrize("loss", [Fool, Judge])
def test_critics_are_told_from_images_by_their_annotation(loss):
    hints = get_type_hints(loss.forward)
    assert [name for name, hint in hints.items() if hint is nn.Module] == ["critic"]
