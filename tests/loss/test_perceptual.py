import shutil
import urllib.error

import lpips
import pytest
import torch
from torch import nn
from torchvision import models

from wildsr.error import UserError
from wildsr.loss import perceptual
from wildsr.loss.perceptual import LPIPS, TRUNKS, MissingWeights, load_lpips, missing_weights

FILES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
ARCHITECTURES = {"alex": models.alexnet, "squeeze": models.squeezenet1_1}


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory):
    """A folder with files of the published layout and random features."""
    folder = tmp_path_factory.mktemp("weights")
    generator = torch.Generator().manual_seed(0)
    for net, architecture in ARCHITECTURES.items():
        with torch.device("meta"):
            shapes = {k: v.shape for k, v in architecture(weights=None).state_dict().items()}
        state = {  # unused classifiers are one number, repeated: small files
            k: torch.randn(shape, generator=generator) * 2 / max(shape[1:].numel(), 1) ** 0.5
            if k.startswith("features")
            else torch.zeros(1).expand(shape)
            for k, shape in shapes.items()
        }
        torch.save(state, folder / FILES[net])
    return folder


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("touched the network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    monkeypatch.delenv("WILDSR_DOWNLOAD", raising=False)


@pytest.fixture
def empty(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def on_disk(empty, random_weights):
    shutil.copytree(random_weights, empty)
    return empty


def reference(net, folder):
    """LPIPS by the package, its trunk filled by hand."""
    network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    state = torch.load(folder / FILES[net])
    for name, parameter in network.net.named_parameters():  # slice3.6.weight is features.6.weight
        parameter.data.copy_(state["features." + name.split(".", 1)[1]])
    return network.eval()


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_equals_the_package(net, on_disk):
    torch.manual_seed(0)
    prediction, target = torch.rand(2, 2, 3, 40, 36)
    loss = LPIPS(net)
    expected = reference(net, on_disk)(prediction * 2 - 1, target * 2 - 1).mean()
    torch.testing.assert_close(loss(prediction=prediction, target=target), expected)
    assert expected > 1e-3
    assert loss(target, target) == 0


def test_gradient_reaches_the_prediction_alone(on_disk):
    loss = LPIPS("squeeze")
    prediction = torch.rand(1, 3, 32, 32, requires_grad=True)
    loss(prediction, torch.rand(1, 3, 32, 32)).backward()
    assert prediction.grad.abs().sum() > 0
    (network,) = loss._held
    assert all(p.grad is None and not p.requires_grad for p in network.parameters())


def test_network_is_nobodys(on_disk):
    loss = LPIPS("squeeze")
    holder = nn.ModuleList([loss]).train().requires_grad_(True)
    assert holder.state_dict() == {}
    assert list(holder.parameters()) == []
    (network,) = loss._held
    assert not any(module.training for module in network.modules())


def test_gray_is_repeated_and_precision_is_fixed(on_disk):
    loss = LPIPS("squeeze")
    a, b = torch.rand(2, 1, 1, 32, 32)
    colour = loss(a.expand(1, 3, 32, 32), b.expand(1, 3, 32, 32))
    assert torch.equal(loss(a, b), colour)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss(a, b), colour)
    assert loss(a.bfloat16(), b.bfloat16()).dtype == torch.float32
    assert loss(a.double(), b.double()).item() == pytest.approx(colour.item(), rel=1e-5)


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_smallest_side(net, on_disk):
    loss, smallest = LPIPS(net), TRUNKS[net][1]
    image = torch.rand(1, 3, smallest, smallest)
    assert loss(image, 1 - image).isfinite()
    small = image[..., 1:]
    with pytest.raises(UserError, match=f"at least {smallest} pixels"):
        loss(small, small)
    with pytest.raises(RuntimeError):  # the limit is the trunk's, not ours
        loss._held[0](small, small)


@pytest.mark.parametrize("net", FILES)
def test_missing_weights_are_described(net, empty):
    with pytest.raises(MissingWeights) as raised:
        LPIPS(net)
    for message in (missing_weights(net), str(raised.value)):
        assert FILES[net] in message
        assert str(empty) in message
        assert f"https://download.pytorch.org/models/{FILES[net]}" in message
    assert issubclass(MissingWeights, UserError)


def test_present_weights_are_not_missing(on_disk):
    assert missing_weights("alex") is None
    assert missing_weights("vgg") is not None


def test_download_when_allowed(empty, monkeypatch, random_weights):
    def download(url, file, *arguments, **options):
        shutil.copy(random_weights / url.rsplit("/", 1)[1], file)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    monkeypatch.setenv("WILDSR_DOWNLOAD", "0")
    with pytest.raises(MissingWeights):
        load_lpips("squeeze")
    monkeypatch.setenv("WILDSR_DOWNLOAD", "1")
    assert load_lpips("squeeze").training is False
    assert (empty / FILES["squeeze"]).is_file()


def test_failed_download_is_a_sentence(empty, monkeypatch):
    def fail(*arguments, **options):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    monkeypatch.setenv("WILDSR_DOWNLOAD", "1")
    with pytest.raises(MissingWeights, match=FILES["squeeze"]):
        load_lpips("squeeze")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04 cut off"])
def test_damaged_file_is_a_sentence(empty, content):
    empty.mkdir(parents=True)
    (empty / FILES["squeeze"]).write_bytes(content)
    with pytest.raises(MissingWeights, match=r"cannot read .*squeezenet1_1"):
        load_lpips("squeeze")


def test_mistakes_are_named(on_disk):
    for function in (missing_weights, load_lpips, LPIPS):
        with pytest.raises(UserError, match=r"`net` must be one of .* Did you mean 'alex'"):
            function("alexx")
    loss = LPIPS("squeeze")
    with pytest.raises(UserError, match=r"\(1, 3, 32, 32\) and \(1, 3, 32, 33\)"):
        loss(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 33))
    with pytest.raises(UserError, match=r"\(1, 4, 32, 32\)"):
        loss(torch.rand(1, 4, 32, 32), torch.rand(1, 4, 32, 32))
    assert set(perceptual.TRUNKS) == set(FILES)
