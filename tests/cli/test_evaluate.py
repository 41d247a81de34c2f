"""What ``evaluate`` measures: runs, weights and interpolation, with and without truth."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from wildsr.run.checkpoint import checkpoints, load_checkpoint
from wildsr.run.lock import Lock
from wildsr.run.together import FOLDER as LOCKS


def pixels(path):
    return np.asarray(Image.open(path)).astype(int)


def test_weights_are_the_averages_and_load_anywhere(finished, photos, tmp_path, carry_out):
    path = finished / "weights" / "4x_it.safetensors"
    averaged = load_checkpoint(checkpoints(finished / "checkpoints")[0])["ema"]["upscale"]
    weights = load_file(path)
    assert weights.keys() == averaged.keys()
    assert all(torch.equal(weights[key], value) for key, value in averaged.items())
    output = tmp_path / "out"
    folders = [f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}", f"output={output}"]
    assert carry_out("evaluate", [f"weights={path}", *folders, "metric.metrics=[psnr,ssim]"]) == 0
    for name in ("photo0.png", "photo1.png"):
        ours = pixels(finished / "results" / "supervised" / name)
        assert np.array_equal(pixels(output / "results" / "4x_it" / name), ours)
    rows = json.loads((output / "results.json").read_text())["rows"]
    assert [row["name"] for row in rows] == ["bicubic", "4x_it"]
    trained = json.loads((finished / "results.json").read_text())["rows"]
    assert [r["psnr"] for r in rows] == pytest.approx([r["psnr"] for r in trained])


def test_evaluate_a_run_with_and_without_truth(finished, photos, tmp_path, carry_out, capsys):
    metrics = "metric.metrics=[psnr,ssim]"
    expected = json.loads((finished / "results.json").read_text())["rows"]
    for number, folders in enumerate(
        (
            [],  # the run's own validation photos
            [f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}"],
            [f"data.lr={photos.val_lr}"],
        )
    ):
        output = tmp_path / str(number)
        assert (
            carry_out("evaluate", [f"run={finished}", *folders, metrics, f"output={output}"]) == 0
        )
        found = json.loads((output / "results.json").read_text())
        assert found.keys() == {"rows", "protocol", "intervals", "comparisons"}
        assert found["protocol"]["photos"] == 2
        assert [row["name"] for row in found["rows"]] == ["bicubic", "supervised"]
        if number < 2:
            assert found["rows"] == [pytest.approx(row) for row in expected]
        else:
            assert all(row["psnr"] is None and row["ssim"] is None for row in found["rows"])
            assert "; `metric=no_reference` measures what" in capsys.readouterr().out
        assert len(list((output / "results" / "supervised").iterdir())) == 2
    for count in (1, 2):
        assert carry_out("evaluate", [f"run={finished}", metrics]) == 0
        assert (finished / f"evaluation-{count}" / "results.json").exists()
        shutil.rmtree(finished / "evaluation-1") if count == 2 else None
    shutil.rmtree(finished / "evaluation-2")


def test_without_truth_it_measures_what_needs_none(photos, tmp_path, carry_out, capsys):
    typed = ["upscaler=bicubic", "scale=4", f"data.lr={photos.val_lr}", f"output={tmp_path}"]
    assert carry_out("evaluate", typed) == 0
    (row,) = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert "psnr" not in row
    assert row["lr_consistency"] > 20
    assert row["colour_drift"] is not None
    said = capsys.readouterr().out
    assert "No ground truth was given (data.hr): look at the pictures." in said


def test_evaluate_interpolation_at_the_scale_of_the_photos(photos, tmp_path, carry_out):
    folders = [f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}", f"output={tmp_path}"]
    overrides = ["upscaler=nearest", "metric=classical", "metric.metrics=[psnr]", *folders]
    assert carry_out("evaluate", overrides) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert [row["name"] for row in found["rows"]] == ["nearest"]
    stated = found["protocol"]
    assert (stated["channel"], stated["border"], stated["scale"]) == ("y", 4, 4)
    nearest = pixels(tmp_path / "results" / "nearest" / "photo0.png")
    assert np.array_equal(nearest[::4, ::4], pixels(photos.val_lr / "photo0.png"))


def test_what_is_typed_wrong_for_evaluate(refused, finished, photos, tmp_path):
    garbage, bad = tmp_path / "weights.safetensors", tmp_path / "weights.pth"
    garbage.write_bytes(b"nothing")
    bad.write_bytes(b"nothing")
    lr, hr = f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}"
    cases = [
        ([], r"`data.lr` must be given"),
        ([hr], r"`data.hr` is the truth of `data.lr`, which was not given"),
        ([lr], r"`scale` must be given"),
        ([lr, hr, "scale=5"], r"`scale` must be one of"),
        ([lr, hr, "upscaler=bicubik"], r"`upscaler` must be .*'bicubik'.* 'bicubic'"),
        ([lr, hr, "tile=2"], r"`tile` must be an integer of at least 8"),
        ([lr, hr, "metric=clasical"], r"`metric` must be .*'clasical'.* 'classical'"),
        ([lr, hr, "runn=x"], r"There is no key `runn`\. Did you mean 'run'\?"),
        ([f"run={tmp_path / 'nowhere'}"], r"`run` must be a run folder, but .* does not exist"),
        ([f"run={tmp_path}"], r"`run` must be a run folder, but .* has no config.yaml"),
        ([f"run={finished}", "scale=2", lr, hr], r"one scale, but scale has 2, run=.* has 4"),
        ([f"weights={tmp_path / 'nowhere.pth'}", lr, hr], r"`weights` must be a file, but"),
        ([f"weights={garbage}", lr, hr], r"`weights`: .* is not a readable safetensors file"),
        ([f"weights={bad}", lr, hr], r"`weights`: .* is refused: it is damaged"),
        ([f"data.lr={photos.val_hr}", f"data.hr={photos.val_lr}"], r"scale|swapped"),
        ([f"data.lr={tmp_path / 'nowhere'}", hr], r"`data.lr`.*nowhere"),
    ]
    for overrides, message in cases:
        error = refused("evaluate", [*overrides, f"output={tmp_path / 'out'}"])
        assert re.search(message, error), (overrides, error)
    assert not (tmp_path / "out").exists()


def test_many_rows_on_many_sets(finished, photos, tmp_path, carry_out, capsys):
    """Two runs, finished results and two interpolations on two sets, one with a damaged photo."""
    second = tmp_path / "second"
    shutil.copytree(finished, second)
    hard = {name: tmp_path / "hard" / name for name in ("lr", "hr")}
    shutil.copytree(photos.val_lr, hard["lr"])
    shutil.copytree(photos.val_hr, hard["hr"])
    (hard["lr"] / "photo1.png").write_bytes(b"no image")
    theirs = tmp_path / "theirs"  # one result is missing, one of another suffix
    theirs.mkdir()
    Image.open(photos.val_hr / "photo0.png").save(theirs / "photo0.webp", lossless=True)
    output = tmp_path / "out"
    overrides = [
        f"run=[{finished},{second}]",
        f"results={{truth: {theirs}}}",
        "upscaler=[bicubic,nearest]",
        f"data.lr={{easy: {photos.val_lr}, hard: {hard['lr']}}}",
        f"data.hr={{easy: {photos.val_hr}, hard: {hard['hr']}}}",
        "metric.metrics=[psnr]",
        f"output={output}",
    ]
    assert carry_out("evaluate", overrides) == 0
    found = json.loads((output / "results.json").read_text())
    assert [row["name"] for row in found["rows"]] == ["bicubic", "nearest", "it", "second", "truth"]
    assert found["sets"].keys() == {"easy", "hard"}
    failed = {(f["name"], f["set"], f["image"]) for f in found["failed"]}
    assert len(failed) == 5 + 1, "the damaged photo under every row, and the missing result"
    assert ("truth", "easy", "photo1") in failed
    assert {row["images"] for row in found["rows"]} == {2}, "photo0 of both sets"
    assert found["protocol"]["not a number"].keys() == {"truth psnr"}
    by_name = {row["name"]: row["psnr"] for row in found["rows"]}
    assert by_name["it"] == by_name["second"]
    same = next(c for c in found["comparisons"] if (c["a"], c["b"]) == ("second", "it"))
    assert (same["mean"], same["p"]) == (0, 1)
    out = capsys.readouterr().out
    assert "has no picture called photo1" in out
    assert (output / "results" / "it" / "hard" / "photo0.png").exists()
    # Its own results are finished results.
    again = [
        f"results={output / 'results' / 'it'}",
        *overrides[3:6],
        f"output={tmp_path / 'again'}",
    ]
    assert carry_out("evaluate", again) == 0
    again = json.loads((tmp_path / "again" / "results.json").read_text())["sets"]["hard"]["rows"]
    assert again[1]["psnr"] == pytest.approx(found["sets"]["hard"]["rows"][2]["psnr"])


@pytest.mark.heavy
def test_a_table_for_the_logger(photos, tmp_path, carry_out):
    folders = [f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}", f"output={tmp_path}"]
    typed = [*folders, "metric.metrics=[psnr]", "logger=wandb", "page_mb=0"]
    assert carry_out("evaluate", typed) == 0
    tables = [p.name for p in tmp_path.glob("wandb/offline-run-*/files/media/table/*.json")]
    assert sorted(name.split("_")[0] for name in tables) == ["per image", "results"]


def test_a_folder_that_exists_is_not_written_into_unless_told(photos, tmp_path, carry_out, refused):
    output = tmp_path / "out"
    typed = [f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}", "metric.metrics=[psnr]"]
    typed += [f"output={output}", "page_mb=0"]
    output.mkdir()  # an empty one is as good as new
    assert carry_out("evaluate", typed) == 0
    before = (output / "results.json").read_bytes()
    assert "overwrite=true replaces" in refused("evaluate", [*typed, "upscaler=nearest"])
    assert (output / "results.json").read_bytes() == before
    assert carry_out("evaluate", [*typed, "upscaler=nearest", "overwrite=true"]) == 0
    assert (output / "results.json").read_bytes() != before
    file = output / "results.json"
    error = refused("evaluate", [*typed[:-2], f"output={file}", "overwrite=true"])
    assert "is a file" in error


def test_a_row_that_failed_on_every_photo_is_no_success(photos, tmp_path, fill, carry_out, capsys):
    wrong = fill(tmp_path / "wrong", 2, (40, 40))  # not 4 times the LR
    typed = [f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}", "metric.metrics=[psnr]"]
    typed += [f"results={wrong}", f"output={tmp_path / 'out'}", "page_mb=0"]
    assert carry_out("evaluate", typed) == 1
    assert "failed: wrong" in capsys.readouterr().out


@pytest.mark.heavy
def test_parts_together_are_the_whole(photos, fill, tmp_path, carry_out, refused, capsys):
    """The same table to the last digit, set metrics and failures too, whoever is the last."""
    lr = fill(tmp_path / "lr", 7, (12, 14), seed=3)
    hr = fill(tmp_path / "hr", 7, (48, 56), seed=3)
    (lr / "photo3.png").write_bytes(b"no picture")
    some = [f"data.lr={lr}", f"data.hr={hr}", "upscaler=[bicubic,nearest]", "page_mb=0"]
    some += ["metric.metrics=[psnr,swd]", "scale=4"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert carry_out("evaluate", [*some, f"output={whole}"]) == 0
    assert "`output` must be given with `shard`" in refused("evaluate", [*some, "shard=1/3"])
    for number in (2, 3, 1):
        assert not (parts / "results.json").exists()
        assert carry_out("evaluate", [*some, f"output={parts}", f"shard={number}/3"]) == 0
    assert (parts / "results.json").read_text() == (whole / "results.json").read_text()
    assert json.loads((parts / "results.json").read_text())["rows"][0]["swd"] > 0
    assert (parts / "per_image.csv").read_text() == (whole / "per_image.csv").read_text()
    names = [p.relative_to(whole) for p in sorted((whole / "results").rglob("*.png"))]
    assert names == [p.relative_to(parts) for p in sorted((parts / "results").rglob("*.png"))]
    capsys.readouterr()
    (parts / "results.json").unlink()  # killed while the tables were written
    assert carry_out("evaluate", [*some, f"output={parts}", "shard=1/3"]) == 0
    assert (parts / "results.json").read_text() == (whole / "results.json").read_text()
    again = [*some, f"output={parts}", "shard=1/3"]
    assert "other settings" in refused("evaluate", [*again, "upscaler=[bicubic]"])
    with Lock(parts, "written", f"{LOCKS}/1-of-3"):
        assert "is being written by process" in refused("evaluate", again)
    for folder in (lr, hr):
        shutil.copy(folder / "photo0.png", folder / "new.png")
    (parts / "results.json").unlink()
    assert "other photos or rows" in refused("evaluate", again)


def test_one_output_has_one_evaluation(photos, tmp_path, refused):
    output = tmp_path / "out"
    output.mkdir()
    (output / LOCKS).mkdir()
    arguments = [f"data.lr={photos.val_lr}", f"output={output}", "scale=4"]
    with Lock(output, "written", f"{LOCKS}/1-of-1"):
        assert "is being written by process" in refused("evaluate", arguments)


def test_a_task_of_an_array_without_a_shared_output_measures_all(
    photos, tmp_path, carry_out, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
    arguments = [f"data.lr={photos.val_lr}", "scale=4", "page_mb=0"]
    assert carry_out("evaluate", arguments) == 0
    assert json.loads((tmp_path / "evaluation-1/results.json").read_text())["protocol"][
        "photos"
    ] == len(list(photos.val_lr.iterdir()))
