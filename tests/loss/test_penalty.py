from typing import get_type_hints

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from wildsr.error import UserError
from wildsr.loss.penalty import R1, R2, GradientPenalty
from wildsr.network.critic.multiscale import MultiScaleCritic
from wildsr.network.critic.patch import PatchCritic
from wildsr.network.critic.unet import UNetCritic
from wildsr.network.front.front import Gray, Haar, HighPass

PENALTIES = {"r1": R1(), "r2": R2(), "gradient_penalty": GradientPenalty()}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def penalise(name, critic, real, fake):
    operands = {"r1": {"real": real}, "r2": {"fake": fake}}
    return PENALTIES[name](critic=critic, **operands.get(name, {"real": real, "fake": fake}))


def linear(*weights):
    critic = nn.Conv2d(len(weights), 1, 1, bias=False)
    critic.weight.data = torch.tensor(weights).view(1, -1, 1, 1)
    return critic


class Quadratic(nn.Module):
    """|image|^2 / 2, whose gradient is the image."""

    def forward(self, image):
        return image.square().sum((1, 2, 3)) / 2


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_zero_centred_by_hand(name):
    critic, image = linear(3.0, 3.0), torch.rand(4, 2, 5, 5)  # a constant
    value = penalise(name, critic, image, image)
    assert value.item() == pytest.approx(3**2 * 2 * 25 / 2)  # (w_1^2 + w_2^2) at 25 places, halved
    value.backward()
    torch.testing.assert_close(critic.weight.grad, torch.full((1, 2, 1, 1), 3.0 * 25))
    assert not image.requires_grad


def test_gradient_penalty_by_hand():
    critic, real, fake = linear(3.0, 4.0), torch.rand(4, 2, 2, 2), torch.rand(4, 2, 2, 2)
    value = GradientPenalty()(critic, real, fake)
    # |grad| = sqrt(4 places * (9 + 16)) = 10
    assert value.item() == pytest.approx((10 - 1) ** 2)
    value.backward()
    # 2 (|g| - 1) d|g|/dw = 2 * 9 * 4 w / 10
    torch.testing.assert_close(critic.weight.grad.flatten(), 7.2 * torch.tensor([3.0, 4.0]))


def test_at_real_and_at_fake():
    real, fake = torch.rand(2, 3, 1, 2, 2)
    for name, image in (("r1", real), ("r2", fake)):
        expected = image.square().sum((1, 2, 3)).mean() / 2
        torch.testing.assert_close(penalise(name, Quadratic(), real, fake), expected)


def test_interpolates_are_uniform_and_one_for_each_image():
    class Kept(Quadratic):
        def forward(self, image):
            self.seen = image
            return super().forward(image)

    critic, real, fake = Kept(), torch.full((4000, 1, 2, 2), 3.0), torch.full((4000, 1, 2, 2), 1.0)
    value = GradientPenalty()(critic, real, fake)
    shares = (critic.seen.detach() - 1) / 2
    assert shares.flatten(1).std(1).max() < 1e-6  # the same at all places
    assert (shares.min() >= 0, shares.max() <= 1) == (True, True)
    assert shares.mean().item() == pytest.approx(0.5, abs=0.02)
    assert shares[:, 0, 0, 0].std().item() == pytest.approx(12**-0.5, abs=0.01)
    # Norms are 2 x for four pixels of x: the mean of (2 x - 1)^2 over x in [1, 3] is 31 / 3.
    assert value.item() == pytest.approx(31 / 3, rel=0.03)


@pytest.mark.parametrize("name", PENALTIES)
def test_derivative_in_the_weights(name):
    real, fake = torch.rand(2, 2, 1, 3, 3, dtype=torch.float64)

    def value(weight):
        class Bent(nn.Module):
            def forward(self, image):
                return torch.tanh(nn.functional.conv2d(image, weight, padding=1))

        torch.manual_seed(1)
        return penalise(name, Bent(), real, fake)

    weight = torch.randn(1, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(value, (weight,))


@pytest.mark.parametrize("name", PENALTIES)
def test_scales_are_averaged(name):
    class Twice(nn.Module):
        def forward(self, image):
            return linear(3.0, 4.0)(image), linear(6.0, 8.0)(image)

    real, fake = torch.rand(2, 3, 2, 2, 2)
    expected = (9**2 + 19**2) / 2 if name == "gradient_penalty" else (100 / 2 + 400 / 2) / 2
    assert penalise(name, Twice(), real, fake).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize(
    "critic",
    [
        PatchCritic(4, norm="none"),
        UNetCritic(2),
        MultiScaleCritic(2, 2, 2, norm="none"),
        PatchCritic(4, norm="none", front={"high": HighPass(), "gray": Gray(), "haar": Haar()}),
    ],
)
def test_every_weight_before_the_last_bias_is_reached(name, critic):
    critic.zero_grad()
    real, fake = torch.rand(2, 2, 3, 8, 8, requires_grad=True)
    penalise(name, critic, real, fake).backward()
    for key, parameter in critic.named_parameters():
        if not key.endswith("bias"):
            assert parameter.grad.abs().sum() > 0, key
            assert parameter.grad.isfinite().all(), key


def test_images_are_constants():
    real, fake = (torch.rand(2, 3, 8, 8, requires_grad=True) for _ in "rf")
    critic = PatchCritic(4, norm="none").requires_grad_(False)
    for name in PENALTIES:
        penalise(name, critic, real, fake).backward()
    assert real.grad is None
    assert fake.grad is None


def test_a_flat_critic_has_no_nan():
    critic = linear(0.0)
    value = GradientPenalty()(critic, *torch.rand(2, 2, 1, 3, 3))
    value.backward()
    assert value.item() == 1
    assert critic.weight.grad.item() == 0


def test_low_precision_is_raised_first():
    images = torch.full((2, 1, 16, 16), 1.0, dtype=torch.float16)
    assert R1()(linear(30.0), images).item() == 900 * 256 / 2  # infinite in float16
    assert GradientPenalty()(linear(30.0), images, images).item() == (30 * 16 - 1) ** 2


def test_two_shapes_are_refused():
    with pytest.raises(UserError, match=r"`real` and `fake` .* \(2, 1, 3, 3\) and \(1, 1, 3, 3\)"):
        GradientPenalty()(linear(1.0), torch.rand(2, 1, 3, 3), torch.rand(1, 1, 3, 3))


def test_operands():
    for loss in (R1, R2, GradientPenalty):
        hints = get_type_hints(loss.forward)
        assert [name for name, hint in hints.items() if hint is nn.Module] == ["critic"]
