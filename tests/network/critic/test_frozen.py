import pytest
import torch

from wildsr.error import UserError
from wildsr.network.critic.frozen import FrozenCritic
from wildsr.network.front.front import Gray, Haar, HighPass
from wildsr.network.trunk.encoder import STAND_IN, load_encoder
from wildsr.network.trunk.files import missing_trunk

pytestmark = pytest.mark.skipif(
    missing_trunk(STAND_IN) is not None, reason="needs pip install stlpips-pytorch"
)


def test_one_map_for_each_layer_at_its_stride():
    critic = FrozenCritic(4, ("relu1_2", "relu3_3")).eval()
    image = torch.rand(2, 3, 24, 32)
    logits, hidden = critic(image), critic.features(image)
    expected = [load_encoder(STAND_IN)(image)[layer].shape[2:] for layer in critic.layers]
    assert [x.shape for x in logits] == [(2, 1, *size) for size in expected]
    assert [x.shape for x in hidden] == [(2, 4, *size) for size in expected]
    for layer, x, y in zip(critic.layers, hidden, logits, strict=True):
        assert torch.equal(critic.heads[layer][1](x), y)


@pytest.mark.parametrize("front", [None, Gray(), HighPass()])
def test_gradient_reaches_the_image_and_the_heads_alone(front):
    critic = FrozenCritic(4, front=front)
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    sum(logits.sum() for logits in critic(image)).backward()
    assert image.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.isfinite().all() for p in critic.parameters())
    trunk = load_encoder(STAND_IN)
    assert not any(p.requires_grad for p in trunk._network.original.parameters())


def test_the_trunk_is_not_saved():
    wide, narrow = FrozenCritic(8), FrozenCritic(4)
    assert all(key.startswith("heads.") for key in wide.state_dict())
    assert sum(p.numel() for p in wide.parameters()) < 9 * 8 * (64 + 128 + 256) + 100
    assert len(list(narrow.parameters())) == 3 * 4  # weight and bias of two convolutions each


def test_photos_are_told_from_noise_in_a_few_iterations():
    """It learns at once, which is what frozen features are for."""
    from skimage import data

    photo = torch.from_numpy(data.astronaut()).permute(2, 0, 1).float() / 255
    torch.manual_seed(0)
    critic = FrozenCritic(8)
    optimizer = torch.optim.Adam(critic.parameters(), 1e-3)

    def crops(top):
        return torch.stack([photo[:, top : top + 32, x : x + 32] for x in range(0, 320, 80)])

    def margin(real, fake):
        return sum(a.mean() - b.mean() for a, b in zip(critic(real), critic(fake), strict=True))

    def noisy(image):
        return image + 0.1 * torch.randn_like(image)

    for step in range(20):
        loss = -margin(crops(8 * step), noisy(crops(8 * step)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert margin(crops(300), noisy(crops(340))) > 0.5


def test_refused():
    with pytest.raises(UserError, match=r"`front` must leave one or three channels .* 9 of three"):
        FrozenCritic(front=Haar())
    with pytest.raises(UserError, match="conv9_9"):
        FrozenCritic(layers=("conv9_9",))
    with pytest.raises(UserError, match="`features`"):
        FrozenCritic(0)
    with pytest.raises(UserError, match="trunk"):
        FrozenCritic(trunk="vgg11")
    with pytest.raises(UserError, match="relu3_3"):
        FrozenCritic()(torch.rand(1, 3, 2, 2))
