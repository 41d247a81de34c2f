import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.loss.content import Content
from wildsr.loss.perceptual import LPIPS
from wildsr.loss.texture import Texture
from wildsr.network.trunk import shift_tolerant
from wildsr.network.trunk.files import MissingWeights, load_trunk


def compare(loss, prediction, target):
    return loss(prediction=loss.encoder(prediction), target=loss.encoder(target))


@pytest.mark.parametrize(("kind", "distance"), [("l1", F.l1_loss), ("l2", F.mse_loss)])
def test_by_torchvision(kind, distance, on_disk):
    a, b = torch.rand(2, 2, 3, 16, 20)
    trunk = load_trunk("vgg19")
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    x, y = (a - mean) / std, (b - mean) / std
    early = distance(trunk[:3](x), trunk[:3](y))  # conv1_2 is layer 2, relu5_4 layer 35
    late = distance(trunk[:36](x), trunk[:36](y))
    loss = Content({"relu5_4": 1, "conv1_2": 0.1}, kind=kind)
    torch.testing.assert_close(compare(loss, a, b), late + 0.1 * early)
    assert late > 0


def test_zero_for_equal_images(on_disk):
    image = torch.rand(1, 3, 16, 16)
    for kind in ("l1", "l2"):
        loss = Content({"conv1_2": 1, "conv5_4": 1}, kind=kind)
        assert compare(loss, image, image) == 0
        features = loss.encoder(image)
        assert loss(features, features) == 0


def test_all_terms_on_an_image_share_one_pass(on_disk):
    """The second term asks for layers before and beyond those of the first."""
    terms = [
        Content({"conv2_2": 1, "conv4_2": 1}),
        Texture({"relu1_1": 1, "relu3_1": 1}),
        Content({"conv5_4": 1}, kind="l2"),
    ]
    encoder, seen = terms[0].encoder, []
    assert all(term.encoder is encoder for term in terms)
    for name, module in encoder._network.original.named_children():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *_, name=name: seen.append(name))
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    prediction, target = encoder(image), encoder(torch.rand(1, 3, 16, 16))
    total = sum(term(prediction, target) for term in terms)
    convolutions = [name for name in encoder.layers if name.startswith("conv")]
    assert len(convolutions) == 16
    assert sorted(seen) == sorted(convolutions * 2)  # once for each image
    total.backward()
    shared, image.grad = image.grad, None
    sum(compare(term, image, target.image) for term in terms).backward()
    torch.testing.assert_close(image.grad, shared)


def test_lpips_shares_the_pass_of_its_trunk(on_disk):
    content, lpips = Content({"relu3_3": 1}, trunk="vgg16"), LPIPS("vgg")
    assert content.encoder is lpips.encoder


def test_gradient_reaches_the_prediction_alone(on_disk):
    loss = Content({"conv1_2": 1, "conv2_1": 1})
    a, b = torch.rand(2, 1, 3, 8, 8).unbind()
    a, b = a.requires_grad_(), b.requires_grad_()
    compare(loss, a, b).backward()
    assert a.grad.abs().sum() > 0
    assert b.grad is None
    # Not even if both are the same features.
    features = loss.encoder(b)
    loss(features, features).backward()
    assert b.grad.abs().sum() == 0


@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_gradient(kind, on_disk):
    loss = Content({"conv1_1": 1, "relu2_1": 0.5}, kind=kind)
    a, b = torch.rand(2, 1, 3, 4, 4, dtype=torch.float64)
    assert gradcheck(lambda x: compare(loss, x, b), (a.requires_grad_(),), fast_mode=True)


def test_is_nobodys(on_disk):
    loss = Content({"conv1_1": 1})
    nn.ModuleList([loss]).train().requires_grad_(True)
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []
    assert not any(p.requires_grad for p in loss.encoder._network.original.parameters())


def test_gray_and_precision(on_disk):
    loss = Content({"conv2_1": 1})
    a, b = torch.rand(2, 1, 1, 8, 8)
    colour = compare(loss, a.expand(1, 3, 8, 8), b.expand(1, 3, 8, 8))
    assert torch.equal(compare(loss, a, b), colour)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(compare(loss, a, b), colour)
    assert compare(loss, a.bfloat16(), b).dtype == torch.float32


def test_mistakes_are_named(on_disk):
    with pytest.raises(UserError, match=r"Did you mean 'conv5_4'"):
        Content({"conv54": 1})
    with pytest.raises(UserError, match=r"`kind` must be one of \['l1', 'l2'\], but got 'l3'"):
        Content({"conv5_4": 1}, kind="l3")
    with pytest.raises(UserError, match=r"`trunk` must be one of"):
        Content({"conv5_4": 1}, trunk="vgg18")
    loss = Content({"conv5_4": 1})
    with pytest.raises(UserError, match=r"'conv5_4' of vgg19 .* at least 16 pixels"):
        compare(loss, *torch.rand(2, 1, 3, 16, 15))
    with pytest.raises(UserError, match=r"\(1, 3, 16, 16\) and \(1, 3, 16, 17\)"):
        compare(loss, torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 17))


def test_missing_weights(no_weights, monkeypatch, tmp_path):
    monkeypatch.setattr(shift_tolerant, "path", lambda trunk: tmp_path / "nothing.pth")
    with pytest.raises(MissingWeights, match=r"needs vgg19-dcbb9e9d\.pth"):
        Content({"conv5_4": 1})
