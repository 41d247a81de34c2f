"""The metric ST-LPIPS: what it measures, states and costs, with and without its weights."""

import hashlib

import pytest
import torch

from wildsr.loss.st_lpips import NETS, STLPIPS
from wildsr.metric import st_lpips
from wildsr.metric.panel import Panel
from wildsr.network.trunk import shift_tolerant
from wildsr.network.trunk.encoder import load_encoder
from wildsr.network.trunk.files import missing_trunk, trunk_file

needs_weights = pytest.mark.skipif(
    missing_trunk(NETS["vgg"]) is not None, reason="needs pip install stlpips-pytorch"
)


def pair(height, width):
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(1, 3, height, width, generator=generator)
    return (hr + 0.1 * torch.randn(hr.shape, generator=generator)).clamp(0, 1), hr


@needs_weights
@pytest.mark.parametrize(("name", "net"), [("st_lpips", "vgg"), ("st_lpips_alex", "alex")])
def test_a_panel_measures_the_loss_of_rounded_images(name, net):
    sr, hr = pair(49, 71)
    panel = Panel("y", 4, [name, "psnr"])  # neither channel nor border are for it
    loss = STLPIPS(net)
    x, y = (image.mul(255).round() / 255 for image in (sr, hr))
    with torch.no_grad():
        expected = loss(loss.encoder(x), loss.encoder(y)).item()
    assert panel.measure(sr, hr)[name] == pytest.approx(expected, abs=1e-6)
    assert panel.measure(hr, hr)[name] == 0
    assert panel.measure(sr, hr)[name] == pytest.approx(expected, abs=1e-6), "the truth again"
    small = torch.rand(1, 3, 31, 80)
    assert panel.measure(small, small)[name] is None


@needs_weights
@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("size", [(70, 301), (290, 263)])
@pytest.mark.heavy
def test_tiles_leave_no_trace(net, size, monkeypatch):
    measure = st_lpips.Measure(STLPIPS(net))
    x, y = pair(*size)
    whole = measure(x, y)
    monkeypatch.setattr(st_lpips, "LARGEST", 192)
    monkeypatch.setattr(st_lpips, "SIDE", 128)
    assert measure(x, y) == pytest.approx(whole, rel=1e-5)
    # With a margin that is too small the tiles would show: the test can fail.
    monkeypatch.setattr(st_lpips, "MARGIN", 32)
    assert measure(x, y) != pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("net", NETS)
def test_strides_divide_sides_and_margins(net):
    assert st_lpips.SIDE % 16 == st_lpips.MARGIN % 16 == 0
    assert st_lpips.SIDE + 2 * st_lpips.MARGIN == st_lpips.LARGEST


@needs_weights
def test_states_trunk_version_and_hash():
    panel = Panel("rgb", 0, ["st_lpips", "st_lpips_alex"])
    stated = panel.protocol()
    for name, net in (("st_lpips", "vgg"), ("st_lpips_alex", "alex")):
        file = trunk_file(NETS[net])
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert digest == shift_tolerant.TRUNKS[NETS[net]].sha256
        assert stated[name]["weights"] == {file.name: f"sha256 {digest[:16]}"}
        assert (stated[name]["trunk"], stated[name]["version"]) == (NETS[net], "ST0.0")
        assert "ST-LPIPS" in stated[name]["title"]
    assert stated["versions"]["stlpips-pytorch"] is not None


def test_without_the_wheel_the_rest_of_the_panel_stands(monkeypatch, tmp_path):
    load_encoder.cache_clear()
    monkeypatch.setattr(shift_tolerant, "path", lambda trunk: tmp_path / "nothing.pth")
    panel = Panel("rgb", 0, ["st_lpips", "psnr"])
    assert panel.missing()["st_lpips"].what == "stlpips-pytorch"
    assert "pip install stlpips-pytorch" in panel.protocol()["st_lpips"]["needs"]
    found = panel.measure(*pair(40, 40))
    assert found["st_lpips"] is None
    assert found["psnr"] > 10
    load_encoder.cache_clear()
