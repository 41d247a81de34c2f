from typing import get_type_hints

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from wildsr.error import UserError
from wildsr.loss.feature_matching import FeatureMatching, MeanFeatureMatching
from wildsr.network.critic.multiscale import MultiScaleCritic
from wildsr.network.critic.patch import PatchCritic
from wildsr.network.critic.unet import UNetCritic
from wildsr.network.critic.vgg import VGGCritic
from wildsr.network.front.diffaugment import DiffAugment
from wildsr.network.front.front import Haar, Noise

CRITICS = [
    PatchCritic(2, 2, front=Haar()),
    UNetCritic(2),
    VGGCritic(2, pairs=2, dense=3, grid=2),
    MultiScaleCritic(2, 2, 2),
]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class Stages(nn.Module):
    """Features: the image, and the sums of its channels times ten (no places)."""

    def features(self, image):
        return image, 10 * image.sum((2, 3))


def test_paired_by_hand():
    prediction = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 2, 1, 2)
    target = torch.tensor([1.0, 0.0, 3.0, 5.0]).view(1, 2, 1, 2)
    # Differences 0, 2, 0, -1 with mean 3/4; sums of channels differ by 2 and -1: 10 * 3/2.
    value = FeatureMatching()(critic=Stages(), prediction=prediction, target=target)
    assert value.item() == pytest.approx((0.75 + 15) / 2)


def test_means_by_hand():
    fake = torch.tensor([[1.0, 3.0], [5.0, 7.0]]).view(2, 1, 1, 2).repeat(1, 2, 1, 1)
    real = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3).expand(1, 2, 1, 3)  # fewer, wider
    # Means 4 and 2; means of sums (4 + 12) / 2 = 8 and 6, times ten: mean of 4 and 400.
    value = MeanFeatureMatching()(critic=Stages(), fake=fake, real=real)
    assert value.item() == pytest.approx((4 + 400) / 2)


def test_mean_does_not_see_which_image_or_where():
    fake = torch.rand(4, 3, 6, 6)
    shuffled = fake[[2, 0, 3, 1]].flip(3)
    assert MeanFeatureMatching()(Stages(), fake, shuffled).item() == pytest.approx(0, abs=1e-9)
    assert FeatureMatching()(Stages(), fake, shuffled).item() > 0.1


def test_derivative_in_the_image_and_none_in_the_goal():
    class Bent(nn.Module):
        def features(self, image):
            return torch.tanh(image), image.square().mean((2, 3))

    image, goal = (torch.rand(2, 2, 2, 3, dtype=torch.float64, requires_grad=True) for _ in "ig")
    for loss in (FeatureMatching(), MeanFeatureMatching()):
        assert gradcheck(lambda x, loss=loss: loss(Bent(), x, goal.detach()), (image,))
        loss(Bent(), image, goal).backward()
    assert goal.grad is None


@pytest.mark.parametrize("critic", CRITICS, ids=lambda critic: type(critic).__name__)
@pytest.mark.parametrize("loss", [FeatureMatching(), MeanFeatureMatching()])
def test_gradient_through_a_frozen_critic(loss, critic):
    critic.eval().requires_grad_(False)
    image, goal = torch.rand(2, 3, 16, 16, requires_grad=True), torch.rand(2, 3, 16, 16)
    value = loss(critic, image, goal)
    value.backward()
    assert value > 0
    assert (image.grad.abs().sum((1, 2, 3)) > 0).all()
    assert loss(critic, goal, goal).item() == 0


@pytest.mark.parametrize("front", [DiffAugment(), Noise(0.3)])
def test_pairs_are_augmented_alike_and_the_draws_go_on(front):
    critic, image = PatchCritic(2, 2, norm="none", front=front), torch.rand(2, 3, 8, 8)
    assert FeatureMatching()(critic, image, image).item() == 0
    assert MeanFeatureMatching()(critic, image, image).item() > 0
    first, second = (FeatureMatching()(critic, image, 1 - image).item() for _ in "12")
    assert first != second


def test_low_precision_is_raised_first():
    image = torch.full((2, 1, 1, 1), 300.0, dtype=torch.float16)

    class Itself(nn.Module):
        def features(self, image):
            return (image.half(),)

    zero = torch.zeros_like(image)
    assert MeanFeatureMatching()(Itself(), image, zero).item() == 90_000  # infinite in float16
    assert FeatureMatching()(Itself(), image, zero).dtype == torch.float32


def test_mistakes_are_named():
    for loss in (FeatureMatching(), MeanFeatureMatching()):
        with pytest.raises(UserError, match=r"`critic` must have `features` .* but got Conv2d"):
            loss(nn.Conv2d(3, 1, 1), torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4))
    with pytest.raises(UserError, match=r"`prediction` and `target` .* \(1, 3, 4, 4\) and"):
        FeatureMatching()(Stages(), torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 5))


@pytest.mark.parametrize("loss", [FeatureMatching, MeanFeatureMatching])
def test_critics_are_told_from_images_by_their_annotation(loss):
    hints = get_type_hints(loss.forward)
    assert [name for name, hint in hints.items() if hint is nn.Module] == ["critic"]
