"""The panel, the means, and the files that others read."""

import csv
import json
import math
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from wildsr.error import UserError
from wildsr.metric.fidelity import psnr, ssim
from wildsr.metric.table import Panel, Row, markdown, results, write_results

PROTOCOL = {"channel": "y", "border": 4}
ROWS = [
    Row("bicubic", [{"psnr": 28.0, "lpips": None}, {"psnr": 29.0, "lpips": 0.5}]),
    Row("mine", [{"psnr": 30.0, "lpips": 0.25}, {"psnr": math.inf, "lpips": 0.125}]),
]


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
    assert list(measured) == ["psnr", "ssim", "lpips"]
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
    config = OmegaConf.merge({"scale": 3, "panel": OmegaConf.load(path)})
    config.panel.metrics = [metric for metric in config.panel.metrics if metric != "lpips"]
    panel = instantiate(config.panel)
    assert (panel.channel, panel.border, panel.metrics) == (channel, 3, ("psnr", "ssim"))
    json.dumps(panel.protocol())  # OmegaConf's own types would not pass


def test_means_by_hand():
    assert ROWS[0].means() == {"psnr": 28.5, "lpips": None}
    assert ROWS[1].means() == {"psnr": math.inf, "lpips": 0.1875}
    assert Row("named", [{"image": "a.png", "psnr": 2}]).means() == {"psnr": 2.0}
    assert Row("uneven", [{"psnr": 2.0}, {"psnr": 4.0, "ssim": 1.0}]).means()["ssim"] is None


def test_results_are_the_documented_form():
    table = results(ROWS[:1], PROTOCOL)
    assert table == {
        "rows": [{"name": "bicubic", "psnr": 28.5, "lpips": None, "images": 2}],
        "protocol": PROTOCOL,
    }


def test_results_say_why_an_infinite_mean_is_null():
    table = results(ROWS, PROTOCOL)
    assert table["rows"][1]["psnr"] is None
    assert list(table["protocol"]["not a number"]) == ["mine psnr"]
    assert "infinite" in table["protocol"]["not a number"]["mine psnr"]
    assert PROTOCOL == {"channel": "y", "border": 4}


def test_markdown_by_hand():
    rows = [*ROWS[:1], Row("a|b", [{"psnr": 7.126, "lpips": 0.25}])]
    assert markdown(rows).splitlines() == [
        "| upscaler |  PSNR |  LPIPS | images |",
        "| -------- | ----: | -----: | -----: |",
        "| bicubic  | 28.50 |    n/a |      2 |",
        "| a\\|b     |  7.13 | 0.2500 |      1 |",
    ]


def test_files(tmp_path):
    write_results(tmp_path / "new", ROWS, PROTOCOL)

    def not_json(word):
        raise AssertionError(word)

    text = (tmp_path / "new" / "results.json").read_text()
    assert json.loads(text, parse_constant=not_json) == results(ROWS, PROTOCOL)
    with (tmp_path / "new" / "per_image.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert lines[0] == {"name": "bicubic", "psnr": "28.0", "lpips": ""}
    assert [line["name"] for line in lines] == ["bicubic", "bicubic", "mine", "mine"]
    assert lines[3]["psnr"] == "inf"
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["per_image.csv", "results.json"]


def test_files_take_lines_of_their_own(tmp_path):
    lines = [{"image": "a.png", "psnr": 1.5}, {"image": "b.png", "psnr": 2.5, "seconds": 3.0}]
    write_results(tmp_path, ROWS, PROTOCOL, lines)
    with (tmp_path / "per_image.csv").open() as file:
        assert list(csv.reader(file)) == [
            ["image", "psnr", "seconds"],
            ["a.png", "1.5", ""],
            ["b.png", "2.5", "3.0"],
        ]


def test_a_failed_write_leaves_the_earlier_table(tmp_path):
    write_results(tmp_path, ROWS, PROTOCOL)
    with pytest.raises(TypeError):
        write_results(tmp_path, ROWS, {"panel": object()})
    assert json.loads((tmp_path / "results.json").read_text()) == results(ROWS, PROTOCOL)
