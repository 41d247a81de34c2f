import lpips
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torchvision import models

from wildsr.error import UserError
from wildsr.loss.perceptual import LPIPS, NETS, MissingWeights, unit
from wildsr.network.trunk.files import load_trunk

SMALLEST = {"alex": 31, "vgg": 16, "squeeze": 17}


def compare(loss, prediction, target):
    return loss(prediction=loss.encoder(prediction), target=loss.encoder(target))


def reference(net, monkeypatch):
    """LPIPS by the package, which asks torchvision for its trunk."""
    for name in ("alexnet", "vgg16", "squeezenet1_1"):  # without their classifiers: gigabytes
        features = nn.Module()
        features.features = load_trunk(name)
        monkeypatch.setattr(models, name, lambda pretrained, found=features: found)
    return lpips.LPIPS(net=net, verbose=False).eval()


@pytest.mark.parametrize("net", NETS)
def test_equals_the_package(net, on_disk, monkeypatch):
    torch.manual_seed(0)
    prediction, target = torch.rand(2, 2, 3, 40, 36)
    prediction.requires_grad_()
    loss = LPIPS(net)
    expected = reference(net, monkeypatch)(prediction * 2 - 1, target * 2 - 1).mean()
    value = compare(loss, prediction, target)
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
    assert expected > 1e-3
    assert compare(loss, target, target) == 0
    (gradient,) = torch.autograd.grad(value, prediction)
    (expected_gradient,) = torch.autograd.grad(expected, prediction)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-3, atol=1e-6)


def test_unit_length_by_hand():
    features = torch.tensor([[3.0, 0.0], [4.0, 0.0]]).view(1, 2, 1, 2).requires_grad_()
    found = unit(features)
    torch.testing.assert_close(found.flatten(), torch.tensor([0.6, 0, 0.8, 0]))
    found.sum().backward()
    assert features.grad.isfinite().all()  # also where nothing fires


def test_gradient_reaches_the_prediction_alone(on_disk):
    loss = LPIPS("squeeze")
    a, b = (x.requires_grad_() for x in torch.rand(2, 1, 3, 32, 32))
    compare(loss, a, b).backward()
    assert a.grad.abs().sum() > 0
    assert b.grad is None


def test_gradient(on_disk):
    loss = LPIPS("squeeze")
    a, b = torch.rand(2, 1, 3, 17, 17, dtype=torch.float64)
    assert gradcheck(lambda x: compare(loss, x, b), (a.requires_grad_(),), fast_mode=True)


def test_a_black_patch_has_a_gradient(on_disk):
    loss = LPIPS("squeeze")
    image = torch.zeros(1, 3, 32, 32, requires_grad=True)
    compare(loss, image, torch.rand(1, 3, 32, 32)).backward()
    assert image.grad.isfinite().all()


def test_network_is_nobodys(on_disk):
    loss = LPIPS("squeeze")
    holder = nn.ModuleList([loss]).train().requires_grad_(True)
    assert holder.state_dict() == {}
    assert list(holder.parameters()) == []
    for network in (loss.encoder._network.original, loss._linear.original):
        assert not any(module.training for module in network.modules())
        assert not any(p.requires_grad for p in network.parameters())


def test_gray_is_repeated_and_precision_is_fixed(on_disk):
    loss = LPIPS("squeeze")
    a, b = torch.rand(2, 1, 1, 32, 32)
    colour = compare(loss, a.expand(1, 3, 32, 32), b.expand(1, 3, 32, 32))
    assert torch.equal(compare(loss, a, b), colour)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(compare(loss, a, b), colour)
    assert compare(loss, a.bfloat16(), b.bfloat16()).dtype == torch.float32
    assert compare(loss, a.double(), b.double()).item() == pytest.approx(colour.item(), rel=1e-5)


@pytest.mark.parametrize("net", SMALLEST)
def test_smallest_side(net, on_disk):
    loss, smallest = LPIPS(net), SMALLEST[net]
    image = torch.rand(1, 3, smallest, smallest)
    assert compare(loss, image, 1 - image).isfinite()
    small = image[..., 1:]
    with pytest.raises(UserError, match=f"at least {smallest} pixels"):
        compare(loss, small, small)


@pytest.mark.parametrize("net", NETS)
def test_missing_weights_are_described(net, no_weights):
    with pytest.raises(MissingWeights) as raised:
        LPIPS(net)
    assert f"The trunk {NETS[net][0]} needs {NETS[net][0].split('1')[0]}" in str(raised.value)


def test_mistakes_are_named(on_disk):
    with pytest.raises(UserError, match=r"`net` must be one of .* Did you mean 'alex'"):
        LPIPS("alexx")
    loss = LPIPS("squeeze")
    with pytest.raises(UserError, match=r"\(1, 3, 32, 32\) and \(1, 3, 32, 33\)"):
        compare(loss, torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 33))
    pair = torch.rand(2, 1, 4, 32, 32)  # of many channels the first three are looked at
    assert torch.equal(compare(loss, *pair), compare(loss, *pair[:, :, :3]))
