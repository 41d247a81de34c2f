import sys

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torchmetrics.functional.image import dists as torchmetrics_dists
from torchvision import models

from wildsr.error import UserError
from wildsr.loss import dists
from wildsr.loss.dists import DISTS
from wildsr.network.trunk.files import MissingWeights, load_trunk


def skip_classifier(monkeypatch):
    """The trunk's file is read, but the unused classifier of half a gigabyte is not built."""

    def vgg16(weights):
        assert weights is models.VGG16_Weights.IMAGENET1K_V1
        network = nn.Module()
        network.features = load_trunk("vgg16")
        return network

    monkeypatch.setattr(torchmetrics_dists, "vgg16", vgg16)


@pytest.fixture
def quick(on_disk, monkeypatch):
    skip_classifier(monkeypatch)


@pytest.mark.heavy
def test_equals_torchmetrics(on_disk, monkeypatch):
    a, b = torch.rand(2, 3, 3, 24, 20)
    loss = DISTS()  # all of the real loading
    skip_classifier(monkeypatch)
    reference = torchmetrics_dists.deep_image_structure_and_texture_similarity
    expected = reference(a, b, reduction="mean")
    torch.testing.assert_close(loss(prediction=a, target=b), expected)
    assert expected > 1e-3
    one = reference(a[:1], b[:1])
    torch.testing.assert_close(loss(a[:1], b[:1]), one)


def test_zero_for_equal_images(quick):
    image = torch.rand(2, 3, 16, 16)
    assert DISTS()(image, image).item() == pytest.approx(0, abs=1e-5)


def test_gradient_reaches_the_prediction_alone(quick):
    loss = DISTS()
    a, b = (x.requires_grad_() for x in torch.rand(2, 1, 3, 16, 16))
    loss(a, b).backward()
    assert a.grad.abs().sum() > 0
    assert a.grad.isfinite().all()
    assert b.grad is None
    assert not loss(a.detach(), b).requires_grad  # alpha and beta are frozen as well


def test_gradient(quick):
    a, b = torch.rand(2, 1, 3, 4, 4, dtype=torch.float64)
    loss = DISTS()
    assert gradcheck(lambda x: loss(x, b), (a.requires_grad_(),), fast_mode=True)


def test_network_is_nobodys(quick):
    loss = DISTS().train().requires_grad_(True)
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []
    assert not loss._network.original.training


def test_gray_and_precision(quick):
    loss = DISTS()
    a, b = torch.rand(2, 1, 1, 16, 16)
    colour = loss(a.expand(1, 3, 16, 16), b.expand(1, 3, 16, 16))
    assert torch.equal(loss(a, b), colour)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss(a, b), colour)
    assert loss(a.bfloat16(), b.bfloat16()).dtype == torch.float32


def test_any_size(quick):
    loss = DISTS()
    assert loss(*torch.rand(2, 1, 3, 1, 5)).isfinite()


def test_mistakes_are_named(quick):
    loss = DISTS()
    with pytest.raises(UserError, match=r"\(1, 3, 8, 8\) and \(1, 1, 8, 8\)"):
        loss(torch.rand(1, 3, 8, 8), torch.rand(1, 1, 8, 8))
    with pytest.raises(UserError, match=r"\(1, 4, 8, 8\)"):
        loss(*torch.rand(2, 1, 4, 8, 8))


def test_missing_weights(no_weights):
    with pytest.raises(MissingWeights, match=r"needs vgg16-397923af\.pth"):
        DISTS()


def test_torchmetrics_without_it_is_named(on_disk, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image.dists", None)
    with pytest.raises(UserError, match=r"torchmetrics 1\.7"):
        dists.load_dists()
