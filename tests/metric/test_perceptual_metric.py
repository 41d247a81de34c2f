"""The LPIPS metric around a network of known answers, with and without weights."""

import sys
import types

import pytest
import torch
from torch import nn

from wildsr.error import UserError
from wildsr.loss.perceptual import NETS
from wildsr.metric.kind import Couple, Needs, Setting, TooSmall
from wildsr.metric.perceptual import SMALLEST, Lpips, lpips
from wildsr.network.trunk.files import MissingWeights, missing_trunk


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
    raise MissingWeights(f"LPIPS needs {net}.pth")


@pytest.fixture
def loss(monkeypatch):
    module = types.ModuleType("wildsr.loss.perceptual")
    module.LPIPS, module.NETS = Distance, NETS
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
    part = lpips("vgg", "LPIPS vgg")(Setting("rgb", 0))
    assert part.needs == Needs("vgg16-397923af.pth", "LPIPS needs vgg.pth")


def test_a_panels_metric_is_the_same_number(loss):
    part = lpips("vgg", "LPIPS vgg")(Setting("y", 2))
    assert (part.protocol["net"], part.needs, part.better) == ("vgg", None, "lower")
    target = torch.full((1, 3, SMALLEST, SMALLEST), 100 / 255)
    for level in (10.3, 20.0):  # the second time with the truth's features kept
        couple = Couple(target + level / 255, target, Setting("y", 2))
        assert part.measure(couple) == pytest.approx(round(level) / 255, abs=1e-6)
    other = Couple(target, target - 0.2, Setting("y", 2))
    assert part.measure(other) == pytest.approx(0.2, abs=1e-6)
    small = torch.rand(1, 3, SMALLEST - 1, 80)
    with pytest.raises(TooSmall, match="LPIPS vgg needs 32 x 32 pixels, but got 31 x 80"):
        part.measure(Couple(small, small, Setting("rgb", 0)))


def test_an_image_below_the_trunks_size_has_no_value(loss):
    small = torch.rand(1, 3, SMALLEST - 1, 80)
    assert Lpips()(small, small) is None


def test_a_diverged_network_is_named(loss):
    image = torch.rand(1, 3, 40, 40)
    with pytest.raises(UserError, match="`prediction` must hold finite"):
        Lpips()(image / 0, image)


def test_the_real_network_if_its_weights_are_here():
    metric = Lpips("alex")
    image = torch.rand(1, 3, SMALLEST, SMALLEST, generator=torch.Generator().manual_seed(0))
    assert metric.reason == missing_trunk("alexnet")
    if metric.reason is None:
        assert metric(image, image) == 0
        assert metric(1 - image, image) > 0.01
    else:
        assert metric(image, image) is None


def test_unknown_trunk():
    with pytest.raises(UserError, match="Did you mean 'alex'"):
        Lpips("alexnet")
