"""Weight files of the published layout with random numbers, where torch looks for them."""

import pytest
import torch
from torchvision import models

from wildsr.network.trunk.encoder import load_encoder

FILES = {
    "vgg19": "vgg19-dcbb9e9d.pth",
    "vgg16": "vgg16-397923af.pth",
    "alexnet": "alexnet-owt-7be5be79.pth",
    "squeezenet1_1": "squeezenet1_1-b8a52dc0.pth",
}


def random_numbers(shape, generator):
    return torch.randn(shape, generator=generator) * (2 / max(shape[1:].numel(), 1)) ** 0.5


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory):
    """A folder with one file for every trunk."""
    folder = tmp_path_factory.mktemp("weights")
    generator = torch.Generator().manual_seed(0)
    for trunk, file in FILES.items():
        with torch.device("meta"):
            shapes = {
                k: v.shape for k, v in models.get_model(trunk, weights=None).state_dict().items()
            }
        state = {  # unused classifiers are one number, repeated: small files
            k: random_numbers(shape, generator)
            if k.startswith("features")
            else torch.zeros(1).expand(shape)
            for k, shape in shapes.items()
        }
        # VGG's files are as old as the format before zip.
        torch.save(state, folder / file, _use_new_zipfile_serialization=not trunk.startswith("vgg"))
    return folder


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("touched the network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    monkeypatch.delenv("WILDSR_DOWNLOAD", raising=False)


@pytest.fixture
def no_weights(tmp_path, monkeypatch, no_network):
    """The folder, not made yet, that torch looks into; encoders of other tests are forgotten."""
    load_encoder.cache_clear()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    yield tmp_path / "hub" / "checkpoints"
    load_encoder.cache_clear()


@pytest.fixture
def on_disk(no_weights, random_weights):
    """The folder that torch looks into, with a file for every trunk."""
    no_weights.mkdir(parents=True)
    for file in random_weights.iterdir():
        (no_weights / file.name).symlink_to(file)
    return no_weights
