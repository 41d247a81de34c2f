"""The panel: its kinds, what it leaves out, what it says of itself, what it refuses."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate

from wildsr.config.choice import CONF
from wildsr.config.compose import configure
from wildsr.error import UserError
from wildsr.metric.catalogue import CATALOGUE
from wildsr.metric.kind import Pair, Set, Single
from wildsr.metric.panel import DEFAULT, Panel

FREE = [  # need no file
    "psnr",
    "ssim",
    "ms_ssim",
    "vif",
    "haarpsi",
    "fsim",
    "shift_psnr",
    "shift_ssim",
    "lr_consistency",
    "colour_drift",
    "noise_residue",
    "sharpness",
    "blockiness",
    "ringing",
    "checkerboard",
]


def images(size=(164, 172), scale=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    lr = torch.rand(1, 3, size[0] // scale, size[1] // scale, generator=generator)
    hr = torch.nn.functional.interpolate(lr, scale_factor=float(scale), mode="bilinear")
    sr = hr + 0.03 * torch.randn(hr.shape, generator=generator)
    return sr.clamp(0, 1), hr, lr


def test_every_free_metric_has_a_number():
    found = Panel("rgb", 1, FREE).measure(*images())
    assert list(found) == FREE
    assert all(math.isfinite(value) for value in found.values()), found


def test_what_has_no_truth_and_what_has_no_photo():
    sr, hr, lr = images()
    panel = Panel("y", 0, ["psnr", "lr_consistency", "swd"])
    kinds = [type(panel.parts[name]) for name in panel.metrics]
    assert kinds == [Pair, Single, Set]
    whole = panel.measure(sr, hr, lr)
    assert list(whole) == ["psnr", "lr_consistency"]
    assert panel.measure(sr, None, lr) == {**whole, "psnr": None}
    assert panel.measure(sr, hr) == {**whole, "lr_consistency": None}
    assert panel.compare(panel.gather(), panel.gather()) == {"swd": None}


def test_a_metric_that_an_image_is_too_small_for_has_no_value():
    found = Panel("rgb", 0, FREE).measure(*(x[..., :24, :24] for x in images()[:2]))
    assert found["psnr"] is not None
    assert found["ssim"] is not None
    assert found["ms_ssim"] is found["vif"] is None
    pixel = torch.full((1, 3, 1, 1), 0.5)
    found = Panel("rgb", 0, FREE).measure(pixel + 0.2, pixel, pixel)
    assert {name for name, value in found.items() if value is not None} == {
        "psnr",
        "lr_consistency",
        "colour_drift",
    }


def test_sets_gather_over_images():
    panel = Panel("rgb", 0, ["swd"])
    row, sharp = panel.gather(), panel.gather()
    for seed in range(3):
        sr, hr, _ = images(seed=seed)
        row.add(sr)
        sharp.add(hr)
    found = panel.compare(row, sharp)["swd"]
    assert found > 0
    assert panel.compare(sharp, sharp)["swd"] == 0
    assert found == panel.compare(row, sharp)["swd"]


def test_gray_truths_are_measured_as_they_are():
    gray = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0)).expand(1, 3, -1, -1)
    sr = gray + 8 / 255
    y, rgb = Panel("y", 4, ["psnr"]), Panel("rgb", 4, ["psnr"])
    coloured = y.measure(sr, gray)["psnr"]
    alone = y.measure(sr, gray, gray=True)["psnr"]
    assert alone == pytest.approx(rgb.measure(sr, gray)["psnr"], abs=1e-9)
    assert coloured - alone == pytest.approx(20 * math.log10(255 / 219), abs=0.01)
    assert rgb.measure(sr, gray, gray=True) == rgb.measure(sr, gray)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_metric_says_how_to_read_it(name):
    panel = Panel("y", 4, [name])
    part = panel.parts[name]
    stated = panel.protocol()
    assert json.loads(json.dumps(stated, allow_nan=False)) == stated
    assert (stated["channel"], stated["border"]) == ("y", 4)
    assert stated[name]["title"] == part.title
    assert stated[name]["unit"] == part.unit
    assert part.better in ("higher", "lower", "")
    assert part.protocol, "says nothing of how it is computed"
    assert set(part.libraries) <= stated["versions"].keys()
    if part.needs:
        assert re.search(rf"{re.escape(part.needs.what.split()[-1])}", part.needs.how)
        assert part.needs.how.endswith(".")
        assert stated[name]["needs"] == part.needs.how
        assert panel.missing() == {name: part.needs}


def test_the_documentation_has_every_metric():
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    rows = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert rows == set(CATALOGUE)


@pytest.mark.parametrize("path", sorted((CONF / "metric").glob("*.yaml")), ids=lambda p: p.stem)
def test_configs_build_their_panel(path):
    panel = instantiate(configure("evaluate", [f"metric={path.stem}", "scale=3"]).metric)
    assert panel.border == 3
    assert panel.channel == ("y" if path.stem == "classical" else "rgb")
    json.dumps(panel.protocol())  # OmegaConf's own types would not pass
    if path.stem == "full":
        assert set(panel.metrics) == set(CATALOGUE)
    if path.stem in ("rgb", "classical"):
        assert panel.metrics == DEFAULT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Y", 4), "`channel` must be one of"),
        (("y", -4), "`border`"),
        (("y", 1.5), "`border`"),
        (("y", 4, "psnr"), "must be a list"),
        (("y", 4, ["psnr", "simm"]), "Did you mean 'ssim'"),
    ],
)
def test_mistakes_of_the_panel(arguments, message):
    with pytest.raises(UserError, match=message):
        Panel(*arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sr": torch.rand(2, 3, 20, 20)}, "`sr` must hold one image, but got 2"),
        ({"sr": torch.rand(1, 1, 20, 20)}, r"`sr` must have the shape \(1, 3, H, W\)"),
        ({"sr": torch.rand(3, 20, 20)}, r"`sr` must have the shape \(1, 3, H, W\)"),
        ({"sr": torch.full((1, 3, 20, 20), math.nan)}, "`sr` must hold finite"),
        ({"hr": torch.full((1, 3, 20, 20), math.inf)}, "`hr` must hold finite"),
        ({"lr": torch.full((1, 3, 5, 5), math.nan)}, "`lr` must hold finite"),
        ({"hr": torch.rand(1, 3, 20, 21)}, "size of `hr`"),
        ({"sr": torch.zeros(1, 3, 20, 20, dtype=torch.uint8)}, "`sr` must hold floats"),
        ({"lr": torch.rand(1, 3, 6, 5)}, "`sr` must be a whole number of times as large as `lr`"),
    ],
)
def test_mistakes_of_the_images(change, message):
    given = {"sr": torch.rand(1, 3, 20, 20), "hr": torch.rand(1, 3, 20, 20), **change}
    given = {"lr": torch.rand(1, 3, 5, 5), **given}
    with pytest.raises(UserError, match=message) as error:
        Panel("rgb", 0, ["psnr", "lr_consistency"]).measure(**given)
    assert "\n" not in str(error.value)
