import shutil
import urllib.error

import pytest
import torch
from torch import nn
from torchvision import models

from wildsr.error import UserError
from wildsr.network.trunk import shift_tolerant
from wildsr.network.trunk.files import TRUNKS, Frozen, MissingWeights, load_trunk, missing_trunk

FILES = {
    "vgg19": "vgg19-dcbb9e9d.pth",
    "vgg16": "vgg16-397923af.pth",
    "alexnet": "alexnet-owt-7be5be79.pth",
    "squeezenet1_1": "squeezenet1_1-b8a52dc0.pth",
}


@pytest.mark.parametrize("trunk", FILES)
def test_missing_weights_are_described(trunk, no_weights):
    with pytest.raises(MissingWeights) as raised:
        load_trunk(trunk)
    for message in (missing_trunk(trunk), str(raised.value)):
        assert FILES[trunk] in message
        assert str(no_weights) in message
        assert f"https://download.pytorch.org/models/{FILES[trunk]}" in message
        assert "WILDSR_DOWNLOAD=1" in message
    assert issubclass(MissingWeights, UserError)
    assert set(TRUNKS) == set(FILES) | set(shift_tolerant.TRUNKS)


@pytest.mark.parametrize("trunk", FILES)
def test_the_file_is_what_is_loaded(trunk, on_disk):
    assert missing_trunk(trunk) is None
    state = torch.load(on_disk / FILES[trunk])
    loaded = load_trunk(trunk).state_dict()
    assert {f"features.{name}" for name in loaded} == {k for k in state if "features" in k}
    assert all(torch.equal(value, state[f"features.{name}"]) for name, value in loaded.items())


def test_equals_torchvision(on_disk):
    expected = models.squeezenet1_1(weights=models.SqueezeNet1_1_Weights.IMAGENET1K_V1).features
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(load_trunk("squeezenet1_1").eval()(image), expected.eval()(image))


def test_download_when_allowed(no_weights, monkeypatch, random_weights):
    def download(url, file, *arguments, **options):
        shutil.copy(random_weights / url.rsplit("/", 1)[1], file)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    monkeypatch.setenv("WILDSR_DOWNLOAD", "0")
    with pytest.raises(MissingWeights):
        load_trunk("squeezenet1_1")
    monkeypatch.setenv("WILDSR_DOWNLOAD", "1")
    assert isinstance(load_trunk("squeezenet1_1"), nn.Sequential)
    assert (no_weights / FILES["squeezenet1_1"]).is_file()


def test_failed_download_is_a_sentence(no_weights, monkeypatch):
    def fail(*arguments, **options):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    monkeypatch.setenv("WILDSR_DOWNLOAD", "1")
    with pytest.raises(MissingWeights, match=FILES["squeezenet1_1"]):
        load_trunk("squeezenet1_1")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04 cut off"])
def test_damaged_file_is_a_sentence(no_weights, content):
    no_weights.mkdir(parents=True)
    (no_weights / FILES["squeezenet1_1"]).write_bytes(content)
    with pytest.raises(MissingWeights, match=r"cannot be read from .*squeezenet1_1"):
        load_trunk("squeezenet1_1")


def test_the_file_of_another_network_is_a_sentence(no_weights, random_weights):
    no_weights.mkdir(parents=True)
    shutil.copy(random_weights / FILES["squeezenet1_1"], no_weights / FILES["alexnet"])
    with pytest.raises(MissingWeights, match=r"cannot be read from .*alexnet"):
        load_trunk("alexnet")


def test_weights_read_in_inference_mode_can_be_trained_through(on_disk):
    with torch.inference_mode():
        trunk = load_trunk("squeezenet1_1")
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    trunk(image).sum().backward()
    assert image.grad.abs().sum() > 0


def test_unknown_trunk(no_weights):
    for function in (missing_trunk, load_trunk):
        with pytest.raises(UserError, match=r"`trunk` must be one of .* Did you mean 'vgg19'"):
            function("vgg-19")


def test_a_frozen_network_follows_the_images():
    frozen = Frozen(nn.Sequential(nn.Linear(2, 2), nn.Dropout()))
    x = torch.ones(1, 2, requires_grad=True)
    single = frozen.on(x)
    result = single(x).sum()
    double = frozen.on(x.double())  # between a pass and its gradient
    result.backward()
    assert frozen.on(x) is single
    assert frozen.on(x.double()) is double
    assert {p.dtype for p in single.parameters()} == {torch.float32}
    assert {p.dtype for p in double.parameters()} == {torch.float64}
    torch.testing.assert_close(double(x.double()).float(), single(x))  # no dropout: evaluation mode
    assert not any(p.requires_grad for n in (single, double) for p in n.parameters())
    assert {p.device.type for p in frozen.on(x.to("meta")).parameters()} == {"meta"}
    with torch.inference_mode():
        half = frozen.on(torch.ones(1, 2, dtype=torch.bfloat16))
    half(torch.ones(1, 2, dtype=torch.bfloat16, requires_grad=True)).sum().backward()


def test_a_frozen_network_is_nobodys():
    holder = nn.Module()
    holder.frozen = Frozen(nn.Linear(2, 2))
    holder.train().requires_grad_(True)
    assert holder.state_dict() == {}
    assert list(holder.parameters()) == []
    assert not holder.frozen.original.training
    assert not holder.frozen.original.weight.requires_grad
