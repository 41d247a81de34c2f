"""The panel: what it measures, in which order, and what it states."""

import json
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate

from wildsr.config.compose import configure
from wildsr.error import UserError
from wildsr.metric.fidelity import psnr, ssim
from wildsr.metric.panel import Panel


def pair():
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(1, 3, 20, 24, generator=generator)
    return (hr + 0.05 * torch.randn(hr.shape, generator=generator)).clamp(0, 1), hr


def test_panel_measures_in_the_order_asked_for():
    sr, hr = pair()
    measured = Panel("y", 2, ["ssim", "psnr"]).measure(sr, hr)
    assert list(measured) == ["ssim", "psnr"]
    assert measured["psnr"] == psnr(sr, hr, 2, "y").item()
    assert measured["ssim"] == ssim(sr, hr, 2, "y").item()
    assert {type(value) for value in measured.values()} == {float}


def test_panel_states_its_protocol_in_plain_types():
    stated = Panel("y", 4, ["psnr", "ssim"]).protocol()
    assert json.loads(json.dumps(stated, allow_nan=False)) == stated
    assert (stated["channel"], stated["border"]) == ("y", 4)
    assert stated["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert "lpips" not in stated
    assert "ssim" not in Panel("rgb", 0, ["psnr"]).protocol()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Y", 4), "`channel` must be one of"),
        (("y", -4), "`border`"),
        (("y", 4, ["psnr", "simm"]), "Did you mean 'ssim'"),
    ],
)
def test_panel_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        Panel(*arguments)


def test_panel_without_lpips_weights(monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: "nowhere")
    monkeypatch.delenv("WILDSR_DOWNLOAD", raising=False)
    panel = Panel("rgb", 2)
    measured = panel.measure(*pair())
    assert list(measured) == ["psnr", "ssim", "st_lpips", "lpips"]
    assert measured["lpips"] is None
    stated = panel.protocol()["lpips"]
    assert (stated["net"], stated["available"]) == ("alex", False)
    assert "nowhere" in stated["needs"]


def test_panel_measures_one_image():
    image = torch.rand(2, 3, 20, 20)
    with pytest.raises(UserError, match="one image, but got 2"):
        Panel("rgb", 0, ["psnr"]).measure(image, image)


@pytest.mark.parametrize(("name", "channel"), [("rgb", "rgb"), ("classical", "y")])
def test_configs_build_the_panel(name, channel):
    path = Path(__file__).parents[2] / "conf" / "metric" / f"{name}.yaml"
    assert path.read_text().startswith(f"# python evaluate.py upscaler=bicubic metric={name} ")
    overrides = [f"metric={name}", "scale=3", "metric.metrics=[psnr,ssim]"]
    panel = instantiate(configure("evaluate", overrides).metric)
    assert (panel.channel, panel.border, panel.metrics) == (channel, 3, ("psnr", "ssim"))
    json.dumps(panel.protocol())  # OmegaConf's own types would not pass
