import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torchvision import models

from wildsr.error import UserError
from wildsr.network.trunk.encoder import MEAN, STD, Encoder, load_encoder, weighted_layers
from wildsr.network.trunk.files import MissingWeights, load_trunk


@pytest.fixture
def encoder(on_disk):
    return load_encoder("vgg19")


@pytest.fixture
def convolutions(encoder):
    """Notes the name of every convolution as it is computed."""
    seen = []
    for name, module in encoder._network.original.named_children():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *_, name=name: seen.append(name))
    return seen


def layers_of(trunk):
    with torch.device("meta"):
        return Encoder(trunk, models.get_model(trunk, weights=None).features).layers


def test_names_are_those_of_the_papers():
    vgg19, vgg16 = layers_of("vgg19"), layers_of("vgg16")
    assert vgg19[:6] == ("conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1", "conv2_1")
    assert vgg19[-3:] == ("conv5_4", "relu5_4", "pool5")
    assert vgg19.index("conv5_4") == 34  # in torchvision's vgg19().features
    assert vgg16[-3:] == ("conv5_3", "relu5_3", "pool5")
    assert vgg16.index("relu4_3") == 22
    alexnet = "conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5"
    assert layers_of("alexnet") == tuple(alexnet.split())
    squeezenet = "conv1 relu1 pool1 fire2 fire3 pool3 fire4 fire5 pool5 fire6 fire7 fire8 fire9"
    assert layers_of("squeezenet1_1") == tuple(squeezenet.split())


@pytest.mark.parametrize("trunk", ["vgg16", "alexnet", "squeezenet1_1"])
def test_features_are_torchvisions(trunk, on_disk):
    encoder, reference = load_encoder(trunk), load_trunk(trunk)
    image = torch.rand(1, 3, 64, 68)
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
    x, features = (image - mean) / std, encoder(image)
    # All are asked for, the last first; those before an activation stay what they were.
    found = {layer: features[layer] for layer in reversed(encoder.layers)}
    for layer, module in zip(encoder.layers, reference, strict=True):
        x = module(x.clone())  # torchvision's activations overwrite what they are given
        torch.testing.assert_close(found[layer], x)


def test_one_encoder_for_a_process(encoder):
    assert load_encoder("vgg19") is encoder
    assert encoder.name == "vgg19"


def test_nothing_is_computed_twice(encoder, convolutions):
    features = encoder(torch.rand(1, 3, 16, 16))
    assert convolutions == []
    second = features["conv2_1"]
    assert convolutions == ["conv1_1", "conv1_2", "conv2_1"]
    features["relu2_2"]
    assert convolutions == ["conv1_1", "conv1_2", "conv2_1", "conv2_2"]
    assert features["conv2_1"] is second
    assert len(convolutions) == 4


def test_expected_layers_are_kept_on_the_way(encoder, convolutions):
    encoder.expect(["relu1_1", "conv2_1"])
    features = encoder(torch.rand(1, 3, 16, 16))
    features["conv3_1"]
    assert set(features._known) == {"relu1_1", "conv2_1", "conv3_1"}  # memory for no other
    features["relu1_1"], features["conv2_1"]
    assert len(convolutions) == 5
    fresh = encoder(features.image)["conv1_2"]
    del convolutions[:]
    torch.testing.assert_close(features["conv1_2"], fresh)  # unexpected: from relu1_1 again
    assert convolutions == ["conv1_2"]


def test_detached_features_are_constants_computed_once(encoder, convolutions):
    image = torch.rand(1, 3, 8, 8, requires_grad=True)
    features = encoder(image)
    assert features["conv1_2"].requires_grad
    constant = features.detach()
    assert features.detach() is constant
    assert torch.equal(constant["conv1_2"], features["conv1_2"])
    assert not constant["conv1_2"].requires_grad
    assert not constant.image.requires_grad
    assert convolutions == ["conv1_1", "conv1_2"]
    assert not constant["conv2_1"].requires_grad  # goes on from there
    assert convolutions == ["conv1_1", "conv1_2", "conv2_1"]
    features["conv3_1"]
    del convolutions[:]
    assert not features.detach()["conv3_1"].requires_grad  # also what came after the first cut
    assert convolutions == []
    plain = encoder(image.detach())
    assert plain.detach() is plain


def test_who_asks_without_a_graph_takes_it_from_nobody(encoder):
    features = encoder(torch.rand(1, 3, 8, 8, requires_grad=True))
    with torch.no_grad():
        features["conv1_1"]
    assert features["conv1_1"].requires_grad
    assert not encoder(torch.rand(1, 3, 8, 8))["conv1_1"].requires_grad


def test_gradient(encoder):
    image = torch.rand(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: encoder(x)["conv2_1"].mean((2, 3)), (image,), fast_mode=True)
    assert not any(p.requires_grad for p in encoder._network.original.parameters())


def test_precision_is_fixed(encoder):
    image = torch.rand(1, 3, 8, 8)
    expected = encoder(image)["conv2_1"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(encoder(image)["conv2_1"], expected)
    assert encoder(image.bfloat16())["conv2_1"].dtype == torch.float32
    double = encoder(image.double())["conv2_1"]
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), expected)


def test_gray_is_repeated(encoder):
    gray = torch.rand(1, 1, 8, 8)
    colour = encoder(gray.expand(1, 3, 8, 8))
    assert torch.equal(encoder(gray)["conv2_1"], colour["conv2_1"])


@pytest.mark.parametrize("trunk", ["vgg16", "alexnet", "squeezenet1_1"])
def test_smallest_side(trunk, on_disk):
    encoder = load_encoder(trunk)
    for layer in encoder.layers[::3] + encoder.layers[-1:]:
        side = encoder.smallest_side(layer)
        assert encoder(torch.rand(1, 3, side, side + 3))[layer].isfinite().all()
        assert 1 in encoder(torch.rand(1, 3, side, side))[layer].shape[2:] or side == 1
        if side > 1:
            small = encoder(torch.rand(1, 3, side + 3, side - 1))
            with pytest.raises(UserError, match=rf"{layer}.*at least {side} pixels"):
                small[layer]
            encoder._smallest[layer] = 1
            with pytest.raises(RuntimeError):  # the limit is the trunk's, not ours
                small[layer]
            encoder._smallest[layer] = side


@pytest.mark.parametrize("trunk", ["vgg16", "alexnet", "squeezenet1_1", "vgg16_shift_tolerant"])
def test_channels_of_every_layer(trunk, on_disk):
    encoder = load_encoder(trunk)
    seen = encoder(torch.rand(1, 3, 64, 64))
    for layer in encoder.layers:
        assert encoder.channels(layer) == seen[layer].shape[1]


def test_sides_and_strides_by_hand(encoder):
    sides = {"conv1_2": 1, "pool1": 2, "relu3_4": 4, "conv5_4": 16, "pool5": 32}
    assert {layer: encoder.smallest_side(layer) for layer in sides} == sides
    assert {layer: encoder.stride(layer) for layer in sides} == sides
    assert load_encoder("alexnet").smallest_side("relu5") == 31
    assert load_encoder("squeezenet1_1").smallest_side("fire9") == 17
    assert load_encoder("alexnet").stride("pool1") == 8


def test_mistakes_are_named(encoder):
    image = torch.rand(1, 3, 8, 8)
    layer = r"layer of vgg19 must be one of .* got 'conv5_5'.* Did you mean 'conv5_[1-4]'"
    for mistake in (
        lambda: encoder(image)["conv5_5"],
        lambda: encoder.expect(["conv5_5"]),
        lambda: encoder.smallest_side("conv5_5"),
        lambda: encoder.stride("conv5_5"),
        lambda: encoder.channels("conv5_5"),
        lambda: weighted_layers(encoder, {"conv5_5": 0}),
    ):
        with pytest.raises(UserError, match=layer):
            mistake()
    with pytest.raises(UserError, match=r"\(3, 8, 8\)"):
        encoder(image[0])
    with pytest.raises(UserError, match=r"`trunk` must be one of"):
        load_encoder("vgg")


def test_weighted_layers(encoder):
    assert weighted_layers(encoder, {"conv1_1": 0.5, "conv1_2": 0}) == {"conv1_1": 0.5}
    assert encoder._expected == {"conv1_1"}
    for weight in (-1, float("nan"), "1", None):
        with pytest.raises(UserError, match="'conv1_1' a weight of at least 0"):
            weighted_layers(encoder, {"conv1_1": weight})
    for layers in ({}, {"conv1_1": 0}):
        with pytest.raises(UserError, match="must weigh at least one layer"):
            weighted_layers(encoder, layers)
    with pytest.raises(UserError, match="must map layers to weights, but got 'conv1_1'"):
        weighted_layers(encoder, "conv1_1")


def test_missing_weights_are_not_remembered(no_weights):
    for _ in range(2):
        with pytest.raises(MissingWeights, match="vgg19 needs vgg19-"):
            load_encoder("vgg19")
