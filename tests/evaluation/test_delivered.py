"""What is measured is what is delivered: evaluation and validation beside the verb ``upscale``."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from support.reach import Limited

from wildsr.evaluation.evaluate import delivered
from wildsr.inference.prepare import prepare
from wildsr.inference.strips import upscale_image
from wildsr.inference.weights import open_weights, save_weights
from wildsr.inference.windows import Overlap
from wildsr.network.upscaler.compact import Compact
from wildsr.network.upscaler.swinir import SwinIRLight
from wildsr.training import validation

pytestmark = pytest.mark.heavy

CPU = torch.device("cpu")
ROOM = "wildsr.network.upscaler"
# Tiles of the first are those of the whole photo; the second reaches further than is measured.
BOUNDED = (Compact, "compact", "Compact", {"features": 4, "convolutions": 2})
UNBOUNDED = (SwinIRLight, "swinir", "SwinIRLight", {"features": 4, "heads": 1, "blocks": 8})
CONFIGS = {
    "bounded": ["network/upscaler=compact_small", "network.upscaler.convolutions=2"],
    "unbounded": [
        "network/upscaler=swinir_light",
        *(f"network.upscaler.{count}" for count in ("heads=1", "blocks=8", "image_size=16")),
    ],
}
COMMON = ["network.upscaler.features=4", "method=supervised", "iterations=2", "validate_every=2"]


def pixels(path):
    return np.asarray(Image.open(path))


@pytest.fixture(scope="module", params=[BOUNDED, UNBOUNDED], ids=["bounded", "unbounded"])
def weights(request, tmp_path_factory):
    """A file of random weights, large enough that the way in which tiles are cut shows."""
    kind, module, name, arguments = request.param
    torch.manual_seed(0)
    network = kind(4, **arguments).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    path = tmp_path_factory.mktemp("weights") / "4x_it.safetensors"
    save_weights(network, path, {"_target_": f"{ROOM}.{module}.{name}", "scale": 4, **arguments}, 4)
    return path


@pytest.fixture
def large(fill, tmp_path):
    """Photos of several tiles each, and their truth."""
    lr, hr = fill(tmp_path / "lr", 2, (84, 60), seed=5), fill(tmp_path / "hr", 2, (336, 240))
    return [f"data.lr={lr}", f"data.hr={hr}", "metric.metrics=[psnr]", "page_mb=0"], lr


def test_evaluate_measures_the_file_that_upscale_writes(weights, large, tmp_path, carry_out):
    folders, lr = large
    common = [f"weights={weights}", "tile=32", "device=cpu", "precision=fp32"]
    assert carry_out("evaluate", [*common, *folders, f"output={tmp_path / 'it'}"]) == 0
    assert carry_out("upscale", [*common, f"input={lr}", f"output={tmp_path / 'up'}"]) == 0
    for name in ("photo0.png", "photo1.png"):
        measured = pixels(tmp_path / "it" / "results" / "4x_it" / name)
        assert np.array_equal(measured, pixels(tmp_path / "up" / name))
    stated = json.loads((tmp_path / "it" / "results.json").read_text())["protocol"]
    assert "32 LR pixels a side" in stated["tiles"]
    assert stated["upscaling"].startswith("networks on cpu in fp32")


def test_the_margin_of_tiles_shows_on_these_photos(weights, large):
    """Else the test above could not fail: without feathering, or with less, pixels differ."""
    image = pixels(large[1] / "photo0.png")
    opened = open_weights(weights)
    made = prepare(opened.network, opened.scale, "it", CPU, tile=32)
    found = upscale_image(made, image)
    made.__dict__["seams"] = Overlap(0 if made.radius is not None else 16, 0)
    assert not np.array_equal(found, upscale_image(made, image))


@pytest.mark.parametrize("kind", CONFIGS)
def test_validation_and_the_table_show_what_upscale_writes(
    kind, fill, tiny, tmp_path, carry_out, monkeypatch
):
    lr, hr = fill(tmp_path / "lr", 1, (60, 44), seed=5), fill(tmp_path / "hr", 1, (240, 176))
    shown = []
    monkeypatch.setattr(validation, "contact_sheet", lambda rows, *_: shown.append(rows[0]["SR"]))
    photos = [f"data.val_lr={lr}", f"data.val_hr={hr}", "tile=16", f"runs_dir={tmp_path}", "name=r"]
    own = [o for o in tiny if not o.startswith(("network", "data.val_", "validate_every"))]
    assert carry_out("train", [*own, *CONFIGS[kind], *COMMON, *photos]) == 0
    run = tmp_path / "r"
    options = [f"run={run}", "tile=16", "device=cpu"]
    up = [f"input={lr}", f"output={tmp_path / 'up'}", "precision=fp32"]
    assert carry_out("upscale", [*options, *up]) == 0
    written = pixels(tmp_path / "up" / "photo0.png")
    assert len(shown) == 2, "the last look, and that of the report"
    for picture in shown:
        levels = (picture[0].permute(1, 2, 0) * 255).round().byte().numpy()
        assert np.array_equal(levels, written)
    assert np.array_equal(pixels(run / "results" / "supervised" / "photo0.png"), written)
    assert carry_out("evaluate", [*options, f"output={tmp_path / 'it'}", "page_mb=0"]) == 0
    again = pixels(tmp_path / "it" / "results" / "supervised" / "photo0.png")
    assert np.array_equal(again, written)
    stated = [json.loads((f / "results.json").read_text()) for f in (run, tmp_path / "it")]
    assert stated[0]["protocol"]["tiles"] == stated[1]["protocol"]["tiles"]


def test_memory_that_runs_out_while_measuring_halves_the_tile():
    made = prepare(Limited(50 * 50), 2, "it", CPU, tile=128)
    made.__dict__["radius"] = 0
    lr = torch.randint(0, 256, (3, 100, 90), dtype=torch.uint8)
    expected = lr.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    assert torch.equal(delivered(made)({"lr": lr}), expected)


def test_what_is_not_finite_is_neither_measured_nor_written():
    class Broken(torch.nn.Module):
        def forward(self, lr):
            return torch.full((*lr.shape[:2], 2 * lr.shape[2], 2 * lr.shape[3]), torch.nan)

    made = prepare(Broken(), 2, "broken", CPU, tile=8)
    with pytest.raises(ValueError, match="broken makes pixels that are NaN or infinite"):
        delivered(made)({"lr": torch.zeros(3, 20, 20, dtype=torch.uint8)})
