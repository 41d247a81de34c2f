import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from wildsr.data.photo import Photo
from wildsr.error import UserError

METHOD = ["method=kernelgan_zssr", "network.degrader.features=4", "network.critic.features=4"]


@pytest.fixture
def picture(tmp_path, fill):
    return fill(tmp_path / "photos", 1, (40, 52)) / "photo0.png"


def opened(picture, **options):
    module = Photo(
        **({"lr": str(picture), "scale": 4, "patch": 8, "batch": 3, "seed": 0} | options)
    )
    module.prepare_data()
    module.setup()
    return module


def test_both_domains_are_crops_of_the_photo(picture):
    module = opened(picture)
    module.iterations = 2
    whole = torch.from_numpy(np.array(Image.open(picture))).permute(2, 0, 1)
    for batch in module.train_dataloader():
        assert batch["hr"].shape == (3, 3, 32, 32)
        assert batch["real_lr"].shape == (3, 3, 8, 8)
        for crops in batch.values():
            side = crops.shape[-1]
            windows = whole.unfold(1, side, 1).unfold(2, side, 1).permute(1, 2, 0, 3, 4)
            for crop in crops:
                assert (windows == crop).all((2, 3, 4)).any()


def test_what_it_says(picture):
    assert opened(picture).trained_on() == {"lr": 1, "hr": 0}
    (line,) = opened(picture).report.lines()
    assert line == (
        "data.lr: photo0.png, 52x40; its own crops of 32x32 are shrunk, "
        "those of 8x8 are what it looks like"
    )


def test_the_photo_is_what_is_looked_at(picture, tmp_path):
    (item,) = list(opened(picture).photos)
    assert item["lr"].shape == (3, 40, 52)
    assert "hr" not in item
    truth = tmp_path / "truth.png"
    Image.open(picture).resize((52 * 4, 40 * 4)).save(truth)
    (item,) = list(opened(picture, val_hr=str(truth)).photos)
    assert item["hr"].shape == (3, 160, 208)


# The command as a user types it -----------------------------------------------------------------


@pytest.fixture
def typed(picture, small, tmp_path):
    free = [o for o in small if "upscaler" not in o]
    quick = [*METHOD, "network.upscaler.features=4", "iterations=3", "data.patch=8"]
    return [*quick, f"data.lr={picture}", *free, f"runs_dir={tmp_path}", "name=it"]


@pytest.mark.heavy
def test_one_photo_and_nothing_else(typed, tmp_path, carry_out, capsys):
    assert carry_out("train", typed) == 0
    assert "No ground truth was given" in capsys.readouterr().out
    made = tmp_path / "it"
    with Image.open(made / "results" / "kernelgan_zssr" / "photo0.png") as sr:
        assert sr.size == (208, 160)
    assert (made / "degradation.png").exists()
    assert (made / "contact.png").exists()


def test_with_its_truth_there_are_metrics(typed, picture, tmp_path, carry_out):
    truth = tmp_path / "truth.png"
    Image.open(picture).rotate(180).resize((104, 80)).save(truth)
    more = ["scale=2", "data.patch=16", f"data.val_hr={truth}", "metric.metrics=[psnr]"]
    assert carry_out("train", [*typed, *more]) == 0
    rows = json.loads((tmp_path / "it" / "results.json").read_text())["rows"]
    assert [row["name"] for row in rows] == ["bicubic", "kernelgan_zssr"]
    assert all(0 < row["psnr"] < 60 for row in rows)


@pytest.mark.heavy
def test_it_goes_on_as_if_never_left(typed, tmp_path, carry_out):
    def state(name):
        (newest,) = (tmp_path / name / "checkpoints").glob("*6.ckpt")
        found = torch.load(newest, weights_only=True)
        assert found["iteration"] == 6
        del found["stages"]["began"]  # seconds
        return {k: v for k, v in found.items() if k in ("networks", "ema", "optimizers", "stages")}

    # Stages are shares of the 6 iterations that the run was started with.
    whole = [o for o in typed if not o.startswith(("iterations", "name"))]
    whole += ["iterations=6", "checkpoint_every=1", "keep=9"]
    assert carry_out("train", [*whole, "name=whole"]) == 0
    assert carry_out("train", [*whole, "name=parts"]) == 0
    for file in (tmp_path / "parts" / "checkpoints").glob("*[3456].ckpt"):
        file.unlink()  # as if it was killed in its second stage
    assert carry_out("train", [*whole, "name=parts", "resume=auto"]) == 0
    for one, other in zip(leaves(state("whole")), leaves(state("parts")), strict=True):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))


def leaves(node):
    if isinstance(node, dict):
        return [leaf for key in node for leaf in leaves(node[key])]
    if isinstance(node, list | tuple):
        return [leaf for part in node for leaf in leaves(part)]
    return [node] if not isinstance(node, str | type(None)) else []


# Mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("data.patch=16", "at least 64 pixels a side.* has 52x40; use `data.patch=10`"),
        ("scale=3", r"`scale` must be one of \[2, 4, 8\]"),
        ("data.lr=/nowhere.png", "`data.lr` must be one image file .* /nowhere.png does not exist"),
        ("data.lr=.", r"`data.lr` must be one image file .*, but \. is a folder"),
        ("data.val_hr=/nowhere.png", "`data.val_hr` must be one image file"),
    ],
)
def test_mistakes_are_one_sentence(override, sentence, typed, refused):

    assert re.search(sentence, refused("train", [*typed, override]))


def test_a_broken_photo_is_one_sentence(typed, tmp_path, refused):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    said = refused("train", [*typed, f"data.lr={tmp_path / 'broken.png'}"])
    assert "`data.lr`: Image" in said
    assert "cannot be read" in said


def test_a_tiny_photo_has_no_remedy(tmp_path, fill):
    tiny = fill(tmp_path / "photos", 1, (12, 12)) / "photo0.png"
    with pytest.raises(UserError, match="has 12x12; it is too small"):
        opened(tiny)
