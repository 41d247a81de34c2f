"""The LPIPS metric around a network of known answers, with and without weights."""

import sys
import types

import pytest
import torch
from torch import nn

from wildsr.error import UserError
from wildsr.metric.perceptual import SMALLEST, Lpips


class WeightsError(UserError):
    pass


class Distance(nn.Module):
    """Mean absolute difference in place of the trunk; notes what it is given."""

    def __init__(self, net):
        super().__init__()
        self.net, self.given = net, None

    def encoder(self, image):
        return image

    def forward(self, prediction, target):
        self.given = prediction
        return (prediction - target).abs().mean()


def absent(net):
    raise WeightsError(f"LPIPS needs {net}.pth")


@pytest.fixture
def loss(monkeypatch):
    module = types.ModuleType("wildsr.loss.perceptual")
    module.LPIPS, module.MissingWeights = Distance, WeightsError
    monkeypatch.setitem(sys.modules, "wildsr.loss.perceptual", module)
    return module


def test_measures_what_a_file_would_hold(loss):
    target = torch.full((1, 3, SMALLEST, SMALLEST), 100 / 255)
    metric = Lpips()
    assert metric(target + 10.3 / 255, target) == pytest.approx(10 / 255, abs=1e-6)
    assert metric(target, target) == 0
    assert metric.network.given.dtype == torch.float32
    assert not metric.network.training


def test_missing_weights_stop_nothing(loss):
    loss.LPIPS = absent
    metric = Lpips("vgg")
    image = torch.rand(1, 3, 40, 40)
    assert metric(image, image) is None
    assert metric.reason == "LPIPS needs vgg.pth"
    assert metric.protocol()["available"] is False
    assert metric.protocol()["needs"] == "LPIPS needs vgg.pth"


def test_protocol_with_weights(loss):
    stated = Lpips("vgg").protocol()
    assert (stated["net"], stated["available"], stated["needs"]) == ("vgg", True, None)


def test_an_image_below_the_trunks_size_has_no_value(loss):
    small = torch.rand(1, 3, SMALLEST - 1, 80)
    assert Lpips()(small, small) is None


def test_a_diverged_network_is_named(loss):
    image = torch.rand(1, 3, 40, 40)
    with pytest.raises(UserError, match="`prediction` must hold finite"):
        Lpips()(image / 0, image)


def test_the_real_network_if_its_weights_are_here():
    from wildsr.loss.perceptual import missing_weights

    metric = Lpips("alex")
    image = torch.rand(1, 3, SMALLEST, SMALLEST, generator=torch.Generator().manual_seed(0))
    assert metric.reason == missing_weights("alex")
    if metric.reason is None:
        assert metric(image, image) == 0
        assert metric(1 - image, image) > 0.01
    else:
        assert metric(image, image) is None


def test_unknown_trunk():
    with pytest.raises(UserError, match="Did you mean 'alex'"):
        Lpips("alexnet")
