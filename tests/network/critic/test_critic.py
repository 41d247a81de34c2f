import pytest
import torch
from torch import nn

from wildsr.error import UserError
from wildsr.network.critic.critic import Critic
from wildsr.network.critic.multiscale import MultiScaleCritic
from wildsr.network.critic.patch import PatchCritic
from wildsr.network.critic.unet import UNetCritic
from wildsr.network.critic.vgg import VGGCritic
from wildsr.network.front.diffaugment import DiffAugment
from wildsr.network.front.front import Gray, Haar, HighPass, Noise, Raw

CRITICS = {
    "patch": lambda **options: PatchCritic(2, 3, **options),
    "unet": lambda **options: UNetCritic(2, **options),
    "vgg": lambda **options: VGGCritic(2, pairs=2, dense=4, grid=2, **options),
    "multiscale": lambda **options: MultiScaleCritic(2, 2, 2, **options),
}
FRONTS = {
    "raw": Raw,
    "gray": Gray,
    "high_pass": HighPass,
    "high_pass_gaussian": lambda: HighPass("gaussian"),
    "haar": Haar,
    "noise": Noise,
    "diffaugment": DiffAugment,
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class Sums(Critic):
    """Twice the image, its sum."""

    def stages(self, x):
        return [2 * x, x.sum((1, 2, 3), keepdim=True)]


def test_logits_are_the_last_stage_and_features_the_others():
    image = torch.rand(2, 3, 4, 4)
    assert torch.equal(Sums()(image), image.sum((1, 2, 3), keepdim=True))
    assert torch.equal(Sums(HighPass())(image), Sums()(HighPass()(image)))
    (feature,) = Sums({"gray": Gray()}).features(image)
    assert torch.equal(feature, 2 * Gray()(image))


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("critic", CRITICS)
def test_gradient_reaches_the_image_through_every_front(critic, front):
    network = CRITICS[critic](front={front: FRONTS[front]()})
    image = torch.rand(2, 3, 16, 16, requires_grad=True)
    logits = network(image)
    for member in logits if isinstance(logits, tuple) else (logits,):
        assert member.shape[:2] == (2, 1)
        (gradient,) = torch.autograd.grad(member[1].sum(), image, retain_graph=True)
        assert gradient[1].abs().sum() > 0
        assert gradient.isfinite().all()


@pytest.mark.parametrize("critic", CRITICS)
def test_a_front_changes_no_key_and_only_the_first_layer(critic):
    plain, haar = (CRITICS[critic](front=front).state_dict() for front in (None, Haar()))
    assert plain.keys() == haar.keys()
    changed = [key for key in plain if plain[key].shape != haar[key].shape]
    first = {"patch": "body.0.weight", "unet": "conv0.weight", "vgg": "body.0.weight"}
    expected = [first[critic]] if critic in first else [f"critics.{i}.body.0.weight" for i in "01"]
    assert changed == expected
    assert all((plain[key].shape[1], haar[key].shape[1]) == (3, 9) for key in changed)


@pytest.mark.parametrize("critic", CRITICS)
def test_features_lead_to_the_logits(critic):
    """All but the logits, in order: (B, C, ...) each, the gradient of all of them reaches back."""
    network = CRITICS[critic](norm="none") if critic != "unet" else CRITICS[critic]()
    image = torch.rand(2, 3, 16, 16, requires_grad=True)
    features = network.features(image)
    assert len(features) == {"patch": 3, "unet": 9, "vgg": 5, "multiscale": 4}[critic]
    for feature in features:
        assert feature.shape[0] == 2
        (gradient,) = torch.autograd.grad(feature.square().sum(), image, retain_graph=True)
        assert gradient.abs().sum() > 0


def test_features_of_a_patch_critic_are_its_activations():
    network, image = PatchCritic(2, 2, norm="instance"), torch.rand(1, 3, 8, 8)
    first, second = network.features(image)
    kept = []
    for module in network.body:
        if isinstance(module, nn.LeakyReLU):
            module.register_forward_hook(lambda module, inputs, output: kept.append(output.clone()))
    logits = network(image)
    assert torch.equal(first, kept[0])
    assert torch.equal(second, kept[1])
    assert torch.equal(logits, network.body[-1](second))


@pytest.mark.parametrize("critic", CRITICS)
def test_what_is_no_front_is_refused(critic):
    with pytest.raises(UserError, match=r"`front` must be made of front-ends .* got Conv2d"):
        CRITICS[critic](front={"mine": nn.Conv2d(3, 3, 1)})
