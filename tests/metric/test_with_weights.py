"""LPIPS in a panel on a file of random weights, where torch looks for it, against its package."""

import hashlib

import lpips
import pytest
import torch
from torchvision import models

from wildsr.metric.panel import Panel
from wildsr.network.trunk.encoder import load_encoder

FILE = "squeezenet1_1-b8a52dc0.pth"


@pytest.fixture
def file(tmp_path, monkeypatch):
    load_encoder.cache_clear()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("WILDSR_DOWNLOAD", raising=False)
    path = tmp_path / "hub" / "checkpoints" / FILE
    path.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(models.squeezenet1_1(weights=None).state_dict(), path)
    yield path
    load_encoder.cache_clear()


@pytest.mark.parametrize("size", [(64, 64), (49, 71)])
def test_lpips_is_its_packages(file, size):
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(1, 3, *size, generator=generator)
    sr = (hr + 0.1 * torch.randn(hr.shape, generator=generator)).clamp(0, 1)
    panel = Panel("y", 4, ["lpips_squeeze", "psnr"])
    found = panel.measure(sr, hr)["lpips_squeeze"]
    network = lpips.LPIPS(net="squeeze", verbose=False)
    x, y = (image.mul(255).round() / 127.5 - 1 for image in (sr, hr))
    with torch.no_grad():
        expected = network(x, y).item()
    assert found == pytest.approx(expected, rel=1e-4)
    assert expected > 1e-4
    assert panel.measure(hr, hr)["lpips_squeeze"] == 0
    weights = panel.protocol()["lpips_squeeze"]["weights"]
    assert weights == {FILE: f"sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:16]}"}


def test_the_hash_follows_the_file(file):
    panel = Panel("rgb", 0, ["lpips_squeeze"])
    before = panel.protocol()["lpips_squeeze"]["weights"][FILE]
    torch.save(models.squeezenet1_1(weights=None).state_dict(), file)
    assert panel.protocol()["lpips_squeeze"]["weights"][FILE] != before


def test_without_the_file_the_rest_of_the_panel_stands(file):
    file.unlink()
    panel = Panel("rgb", 0, ["lpips_squeeze", "psnr", "dists"])
    assert panel.missing()["lpips_squeeze"].what == FILE
    assert panel.missing()["dists"].what == "vgg16-397923af.pth"
    image = torch.rand(1, 3, 40, 40)
    found = panel.measure(image * 0.9, image)
    assert found["lpips_squeeze"] is found["dists"] is None
    assert found["psnr"] > 10
    stated = panel.protocol()["lpips_squeeze"]
    assert stated["available"] is False
    assert "weights" not in stated
