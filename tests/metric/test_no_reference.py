"""pyiqa's metrics: what they need, and the real loading where pyiqa is installed."""

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from wildsr.metric import no_reference
from wildsr.metric.kind import Setting, TooSmall
from wildsr.metric.no_reference import BRISQUE, CLIPIQA, MUSIQ, NIQE, learned
from wildsr.metric.panel import Panel

SETTING = Setting("rgb", 0)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("WILDSR_DOWNLOAD", raising=False)
    return tmp_path / "hub"


@pytest.fixture
def stand_in(monkeypatch):
    """A pyiqa whose every metric is the mean of the image; notes what was asked for."""
    module = types.ModuleType("pyiqa")
    module.asked = []

    def create_metric(name, device):
        module.asked.append((name, device))
        print("Loading pretrained model")  # as the real one does
        if name == "brisque":
            raise RuntimeError("Error(s) in loading\nsecond line")
        network = torch.nn.Module()
        network.forward = lambda image: image.mean(dim=(1, 2, 3))
        return network

    module.create_metric = create_metric
    monkeypatch.setitem(sys.modules, "pyiqa", module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    return module


@pytest.mark.parametrize("metric", [NIQE, BRISQUE, MUSIQ, CLIPIQA], ids=lambda m: m.name)
def test_without_pyiqa_and_without_weights(metric, hub, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    needs = learned(metric)(SETTING).needs
    assert needs.what == f"pyiqa and {Path(metric.file).name}"
    assert "pip install 'wildsr[iqa]'" in needs.how
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    needs = learned(metric)(SETTING).needs
    assert needs.what == Path(metric.file).name
    assert str(hub / Path(metric.file).parent) in needs.how


def test_the_rest_of_the_panel_stands(hub):
    panel = Panel("rgb", 0, ["niqe", "lr_consistency", "musiq"])
    sr = torch.rand(1, 3, 120, 100, generator=torch.Generator().manual_seed(0))
    found = panel.measure(sr, None, sr)
    assert list(found) == ["niqe", "lr_consistency", "musiq"]
    assert found["niqe"] is found["musiq"] is None
    assert found["lr_consistency"] == float("inf")
    assert list(panel.missing()) == ["niqe", "musiq"]


def test_a_metric_is_pyiqas_number_of_the_rounded_image(hub, stand_in, capsys):
    file = hub / NIQE.file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    panel = Panel("rgb", 4, ["niqe"])
    sr = torch.full((1, 3, 96, 97), 100.3 / 255)
    assert panel.measure(sr, None, sr)["niqe"] == pytest.approx(100 / 255)
    assert stand_in.asked == [("niqe", "cpu")]
    assert capsys.readouterr().out == ""
    stated = panel.protocol()["niqe"]
    assert (stated["better"], stated["pyiqa's name"]) == ("lower", "niqe")
    assert stated["weights"]["niqe_modelparameters.mat"].startswith("sha256 ")
    small = torch.rand(1, 3, 95, 200)
    assert panel.measure(small, None, small)["niqe"] is None
    with pytest.raises(TooSmall, match="NIQE needs 96 x 96"):
        panel.parts["niqe"].measure(small, small)


def test_a_file_that_cannot_be_loaded_is_named(hub, stand_in):
    file = hub / BRISQUE.file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    needs = learned(BRISQUE)(SETTING).needs
    assert needs.what == "brisque_svm_weights.pth"
    assert needs.how == f"BRISQUE cannot be made of {file}: Error(s) in loading."


def test_downloads_only_when_told(hub, stand_in, monkeypatch):
    assert learned(MUSIQ)(SETTING).needs
    assert stand_in.asked == []
    monkeypatch.setenv("WILDSR_DOWNLOAD", "1")
    assert learned(MUSIQ)(SETTING).needs is None
    assert stand_in.asked == [("musiq", "cpu")]


def test_pyiqa_itself_loads_a_file_of_random_numbers(hub, monkeypatch):
    """NIQE's file has the mean and the covariance of 36 features."""
    pyiqa = pytest.importorskip("pyiqa")
    from pyiqa.archs import niqe_arch
    from scipy.io import savemat

    file = hub / NIQE.file
    file.parent.mkdir(parents=True)
    generator = np.random.default_rng(0)
    root = generator.normal(size=(36, 36))
    mean = generator.normal(size=(1, 36))
    savemat(file, {"mu_prisparam": mean, "cov_prisparam": root @ root.T + np.eye(36)})
    # pyiqa has looked up torch's folder when it was imported, which may be another one.
    monkeypatch.setattr(niqe_arch, "load_file_from_url", lambda url: str(file))
    metric = learned(NIQE)(SETTING)
    assert metric.needs is None
    sr = torch.rand(1, 3, 200, 210, generator=torch.Generator().manual_seed(0))
    sr = sr.mul(255).round() / 255
    theirs = pyiqa.create_metric("niqe", device="cpu")(sr).item()
    assert metric.measure(sr, sr) == pytest.approx(theirs)
    assert np.isfinite(theirs)
    assert no_reference.NIQE.better == "lower"
