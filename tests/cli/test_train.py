"""What ``train`` leaves: the folder of a run, its table, its pictures."""

import json

import pytest
from omegaconf import OmegaConf
from PIL import Image

from wildsr.run.checkpoint import checkpoints, load_checkpoint
from wildsr.training.module import Training
from wildsr.training.train import WITHOUT_TRUTH


def test_explain_prints_the_table_and_trains_nothing(tiny, tmp_path, carry_out, capsys):
    typed = [*tiny, "explain=true", "finish=none", f"runs_dir={tmp_path / 'runs'}"]
    assert carry_out("train", typed) == 0
    assert (
        "| upscale | upscale | pixel | draws, fake_lr, sr_levels, sr |" in capsys.readouterr().out
    )
    assert not (tmp_path / "runs").exists()


def test_the_folder_of_a_run(finished):
    assert sorted(p.name for p in finished.iterdir()) == [
        ".lock",
        "checkpoints",
        "config.yaml",
        "contact.png",
        "metrics.csv",
        "overrides.json",
        "per_image.csv",
        "photos.json",
        "report",
        "results",
        "results.csv",
        "results.json",
        "results.md",
        "typed.json",
        "weights",
    ]
    assert sorted(p.name for p in (finished / "results").iterdir()) == ["bicubic", "supervised"]
    assert {p.name for p in (finished / "weights").iterdir()} == {"4x_it.safetensors", "4x_it.md"}
    for name in ("photo0.png", "photo1.png"):
        assert Image.open(finished / "results" / "supervised" / name).size == (56, 48)


def test_the_form_of_the_results(finished):
    found = json.loads((finished / "results.json").read_text())
    assert found.keys() == {"rows", "protocol", "intervals", "comparisons"}
    assert [row["name"] for row in found["rows"]] == ["bicubic", "supervised"]
    for row in found["rows"]:
        assert row.keys() == {"name", "psnr", "ssim", "images"}
        assert 0 < row["psnr"] < 60
        assert -1 < row["ssim"] < 1
        assert row["images"] == 2
    stated = found["protocol"]
    assert {k: stated[k] for k in ("channel", "border", "photos", "scale", "iterations")} == {
        "channel": "rgb",
        "border": 4,
        "photos": 2,
        "scale": 4,
        "iterations": 3,
    }
    assert isinstance(stated["training_seconds"], float)


@pytest.mark.heavy
def test_the_rows_of_a_demo_and_what_it_leaves(small, tmp_path, carry_out, capsys):
    overrides = [*small, "iterations=20", "data.batch=2", "data.patch=8", "validate_every=1000"]
    overrides += ["finish=none"]  # whose rows tests/training/test_finish.py has
    assert carry_out("train", [*overrides, f"runs_dir={tmp_path}"]) == 0
    folder = tmp_path / "wild-demo"
    found = json.loads((folder / "results.json").read_text())
    assert [row["name"] for row in found["rows"]] == ["bicubic", "bicubic-trained", "wild"]
    for row in found["rows"]:
        assert row.keys() == {"name", "psnr", "ssim", "st_lpips", "lpips", "images"}
        assert row["images"] == 2
        assert row["lpips"] is None or 0 < row["lpips"] < 2
        assert 0 < row["st_lpips"] < 2, "perceptual without a download"
    lpips = found["protocol"]["lpips"]
    assert lpips["available"] == (found["rows"][0]["lpips"] is not None)
    printed = capsys.readouterr().out
    table = [line for line in printed.splitlines() if line.startswith("| ")]
    assert [line.split("|")[1].strip() for line in table[2:]] == [
        "bicubic",
        "bicubic-trained",
        "wild",
    ]
    for name in ("contact.png", "degradation.png"):
        assert min(Image.open(folder / name).size) > 200
    seconds = [
        load_checkpoint(checkpoints(f / "checkpoints")[0])["seconds"]
        for f in (folder, folder / "bicubic-trained")
    ]
    assert seconds[1] >= seconds[0] > 0, "the baseline trains for as long"
    assert carry_out("evaluate", [f"run={folder}", "metric.metrics=[psnr]"]) == 0
    again = json.loads((folder / "evaluation-1" / "results.json").read_text())
    for one, other in zip(found["rows"], again["rows"], strict=True):
        assert (one["name"], one["psnr"]) == (other["name"], pytest.approx(other["psnr"]))


@pytest.mark.heavy
def test_the_baseline_keeps_its_rate_to_its_end(tiny, of, tmp_path, carry_out):
    """It may have more iterations than the method, at whose end a falling rate is 0."""
    overrides = [*tiny, *of("cyclesr"), "iterations=3", "baseline=true"]
    assert carry_out("train", [*overrides, f"runs_dir={tmp_path}", "name=it"]) == 0
    own, baseline = (
        OmegaConf.load(tmp_path / "it" / folder / "config.yaml").method
        for folder in (".", "bicubic-trained")
    )
    assert own.schedules.upscale.until == 3
    assert baseline.schedules == {}
    assert baseline.optimizers.upscale == own.optimizers.upscale


def test_without_truth_the_table_is_of_what_needs_none(tiny, tmp_path, carry_out, capsys):
    """Also when the run is resumed; and metrics that were chosen stay."""
    typed = [o for o in tiny if not o.startswith(("data.val_hr=", "metric."))]
    typed += ["method=supervised", f"runs_dir={tmp_path}"]
    assert carry_out("train", [*typed, "name=it", "iterations=2"]) == 0
    assert "these are the metrics that need none" in capsys.readouterr().out.replace("\n", " ")
    for iterations in (2, 3):
        rows = json.loads((tmp_path / "it" / "results.json").read_text())["rows"]
        assert [row["name"] for row in rows] == ["bicubic", "supervised"]
        for row in rows:
            assert row.keys() - {"name", "images"} == set(WITHOUT_TRUTH)
            assert row["lr_consistency"] > 0  # others need larger photos
            assert row["colour_drift"] > 0
        if iterations == 2:
            assert carry_out("train", [*typed, "resume=auto", "iterations=3"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    capsys.readouterr()
    assert carry_out("train", [*typed, "name=own", "iterations=1", "metric.metrics=[ssim]"]) == 0
    said = capsys.readouterr().out.replace("\n", " ")
    assert "No ground truth was given" in said
    assert "without which the table has no SSIM." in said
    assert "need none" not in said
    row = json.loads((tmp_path / "own" / "results.json").read_text())["rows"][0]
    assert row["ssim"] is None


def test_what_has_no_effect_is_said_and_pairs_that_would_have_none_are_refused(
    tiny, photos, tmp_path, carry_out, capsys
):
    typed = [*tiny, "method=supervised", f"runs_dir={tmp_path}", "iterations=1"]
    assert carry_out("train", [*typed, "network/critic=unet"]) == 0
    assert "note: `network/critic=unet` has no effect: method=supervised" in capsys.readouterr().out
    again = [f"resume={tmp_path / 'supervised-folders'}", "degradation=mild", "iterations=2"]
    assert carry_out("train", again) == 0
    assert "`degradation=mild` has no effect" not in capsys.readouterr().out, "by its own method"
    sides = [f"data.pairs_lr={photos.val_lr}", f"data.pairs_hr={photos.val_hr}"]
    assert carry_out("train", [*tiny, *sides, "method=maeda", f"runs_dir={tmp_path}"]) == 2
    assert "method=maeda is not trained on pairs" in capsys.readouterr().err.replace("\n", " ")


def test_bicubic_trained_never_sees_the_pairs(tiny, photos, tmp_path, carry_out, monkeypatch):
    step, seen = Training.training_step, []

    def watched(training, batch, index):
        seen.append(sorted(batch))
        step(training, batch, index)

    monkeypatch.setattr(Training, "training_step", watched)
    typed = [*tiny, "method=supervised", "iterations=1", "baseline=true", f"runs_dir={tmp_path}"]
    sides = [f"data.pairs_lr={photos.val_lr}", f"data.pairs_hr={photos.val_hr}"]
    assert carry_out("train", [*typed, *sides]) == 0
    assert seen[0] == ["hr", "pair_lr", "real_lr"]
    assert seen[-1] == ["hr", "real_lr"], "the baseline"


def test_a_training_without_photos_to_look_at_has_its_results(tiny, tmp_path, carry_out, capsys):
    typed = [one for one in tiny if not one.startswith(("data.val_lr", "data.val_hr"))]
    typed += ["method=supervised", "iterations=1", f"runs_dir={tmp_path}", "name=it"]
    assert carry_out("train", [*typed, "data.preview=0"]) == 0
    assert json.loads((tmp_path / "it" / "results.json").read_text())["rows"] == []
    assert (tmp_path / "it" / "report" / "index.html").exists()
    assert "No photo was measured" in capsys.readouterr().out
