"""The verbs as a user meets them: one sentence for each mistake, and nothing lost."""

import os
import re
import runpy
import shutil
import sys

import pytest
import torch

from wildsr.cli import main
from wildsr.config import compose as command
from wildsr.run.checkpoint import checkpoints, load_checkpoint
from wildsr.training.module import Training


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("iteratons=3", r"There is no key `iteratons`\. Did you mean 'iterations'\?"),
        ("data.pach=8", r"There is no key `data.pach`\. Did you mean 'data.patch'\?"),
        (
            "method.updates.upscal.every=2",
            r"There is no update `upscal` .*a new one needs `trains`\. Did you mean 'upscale'\?",
        ),
        (
            "method=wld",
            r"`method` must be one of \['adversarial_camera', .*'bulat', .*'wild', .*\], "
            r"but got 'wld'\. Did",
        ),
        ("network/front=[grey]", r"`network/front` must be of .*'grey'\. Did you mean 'gray'\?"),
        ("network/upscaler=edsrr", r"`network/upscaler` must be .*'edsrr'\. Did you mean 'edsr'\?"),
        ("nonsense=1", r"There is no key `nonsense`"),
        ("network/decoder=x", r"network/decoder"),
        ("explain", r"Arguments are key=value, but got 'explain'"),
        ("--seed=3", r"Arguments are key=value, but got '--seed=3'"),
        ("data.lr=[", r"."),
        ("=3", r"."),
        ("scale=5", r"`scale` must be one of \[1, 2, 3, 4, 8\], but got 5"),
        ("scale=four", r"`scale` must be one of .* 'four'"),
        ("iterations=0", r"`iterations` must be an integer of at least 1, but got 0"),
        ("iterations=1.5", r"`iterations` must be an integer .* 1.5"),
        ("keep=0", r"`keep` must be an integer"),
        ("tile=4", r"`tile` must be an integer of at least 8, but got 4"),
        ("seed=x", r"`seed` must be an integer of at least 0, but got 'x'"),
        ("seed=-1", r"`seed` must be an integer of at least 0, but got -1"),
        ("seconds=-1", r"`seconds` must be a positive number or null, but got -1"),
        ("seconds=soon", r"`seconds` must be a positive number or null, but got 'soon'"),
        ("data.patch=0", r"`data.patch` must be an integer of at least 1, but got 0"),
        ("data.batch=two", r"`data.batch` must be an integer of at least 1, but got 'two'"),
        ("metric.metrics=[psn]", r"`metric.metrics`: .*'psn'.*'psnr'"),
        ("trainer.precision=fp16", r"`trainer.precision` must be one of .*'fp16'"),
        ("trainer.accelerator=tpuu", r"`trainer.accelerator` must be .*tpuu"),
        ("finish.kind=foo", r"`finish.kind` must be one of \['gan', 'none'\], but got 'foo'"),
        ("method.schedules=null", r"`method.schedules` must be a mapping, but got None"),
        ("trainer.deterministic=x", r"`trainer.deterministic` must be true or false, but got 'x'"),
        (
            "+trainer.gradient_clip_val=1",
            r"`trainer.gradient_clip_val` .* `method.up",
        ),
        ("+trainer.max_steps=3", r"`trainer.max_steps` is not for .*: use `iterations`"),
        ("+trainer.overfit_batches=1", r"`trainer`: a key must be one of .*'overfit_batches'"),
        ("logger.kind=wandbb", r"`logger` must be one of .*'wandbb'"),
        ("resume=nowhere", r"The run folder nowhere does not exist"),
        ("augment=lr", r"`augment` must be true, false or hr, but got 'lr'"),
        ("method.ema=1.5", r"`method.ema` must be .* 1.5"),
        ("method.ema=high", r"`method.ema` must be .* 'high'"),
        (
            "method._target_=wildsr.method.wild.Wilde",
            r"`method._target_`.*wildsr.method.wild.Wilde",
        ),
        ("method.updates.upscale.terms.pixel.loss=l11", r"Term `upscale/pixel`.*'l11'.*'l1'"),
        (
            "method.updates.upscale.terms.pixl.weight=3",
            r"There is no term `pixl` in `method.updates.upscale.terms`.*Did you mean 'pixel'\?",
        ),
        ("logger=../../../tmp/evil", r"`logger` must be one of .*but got '../../../tmp/evil'"),
        ("logger='../../../tmp/evil'", r"`logger` must be one of .*but got '../../../tmp/evil'"),
        ("network/front=[raw,../evil]", r"`network/front` must be of .*but got '../evil'"),
        ("method=[]", r"`method` must be one of .*but got \[\]"),
        ("metric=[]", r"`metric` must be one of .*but got \[\]"),
        ("loss=[]", r"`loss` must be one of .*but got \[\]"),
        ("data.lrr=x", r"There is no key `data.lrr`. Did you mean 'data.lr'\?"),
        ("method.updates.upscale.terms.pixel=l1", r"Term `upscale/pixel` must .* 'l1'"),
        ("method.optimizers.upscale.lr=-1", r"`method.optimizers.upscale` cannot be made"),
        (
            "+method.schedules.upscale={_target_: wildsr.training.schedule.Inverse, half: 0}",
            r"`method.schedules.upscale`.* `half` must .* 0",
        ),
        ("network.upscaler.features=0", r"`method.networks.upscale`.* `features` .* 0"),
        ("network.upscaler.activation=gelu", r"`method.networks.upscale`.*'gelu'"),
    ],
)
def test_what_is_typed_wrong_is_one_sentence(refused, tiny, tmp_path, typed, message):
    overrides = [o for o in tiny if o.split("=")[0] != typed.split("=")[0]]
    runs = tmp_path / "runs"
    error = refused("train", ["iterations=2", *overrides, f"runs_dir={runs}", typed])
    assert re.search(message, error), error
    assert not runs.exists(), "nothing is written for a mistake"


def test_folders_are_asked_for(refused, small):
    assert "`data.hr` and `data.lr` must be given" in refused("train", ["data=folders", *small])
    error = refused("train", ["data.lr=somewhere", *small])
    assert "There is no key `data.lr`. It belongs to `data=folders`" in error


def test_folders_that_cannot_be_used(refused, tiny, photos, fill, tmp_path):
    empty, text, one = tmp_path / "empty", tmp_path / "text", fill(tmp_path / "one", 1, (48, 56))
    empty.mkdir()
    text.mkdir()
    (text / "a.png").write_text("not an image")
    cases = [
        ([f"data.lr={tmp_path / 'nowhere'}"], r"`data.lr` .*nowhere"),
        ([f"data.hr={empty}"], r"`data.hr` .*empty"),
        ([f"data.lr={text}"], r"`data.lr`: 1 of 1 images cannot be read"),
        ([f"data.hr={photos.lr}"], r"`data.lr` and `data.hr` must be different"),
        ([f"data.lr={photos.hr}", f"data.hr={photos.lr}"], r"`data.lr` and `data.hr`.* swapped"),
        (["data.patch=25"], r"`data.lr` must hold an image of at least 25x25 pixels"),
        (["data.patch=20"], r"`data.hr` must hold an image of at least 80x80 pixels"),
        ([f"data.val_hr={photos.hr}"], r"`?data.val_lr`?|At scale 4 an HR photo must be 4 times"),
        ([f"data.val_hr={one}"], r"`data.val_hr` must hold the HR photo of every photo"),
    ]
    for changed, message in cases:
        keys = [c.split("=")[0] for c in changed]
        kept = [o for o in tiny if o.split("=")[0] not in keys]
        error = refused("train", [*kept, *changed, "iterations=2", f"runs_dir={tmp_path / 'runs'}"])
        assert re.search(message, error), error
    assert not (tmp_path / "runs").exists()


def test_a_bad_file_among_good_ones_is_named_and_skipped(tiny, fill, tmp_path, carry_out, capsys):
    folder = fill(tmp_path / "lr", 4, (24, 28), seed=9)
    (folder / "broken.png").write_bytes((folder / "photo0.png").read_bytes()[:100])
    overrides = [*[o for o in tiny if not o.startswith("data.lr=")], f"data.lr={folder}"]
    overrides += ["method=supervised", "iterations=1", f"runs_dir={tmp_path}", "name=it"]
    assert carry_out("train", overrides) == 0
    assert "broken.png" in capsys.readouterr().out


def test_a_run_that_exists_is_refused_and_stays(refused, tiny, finished):
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file()}
    overrides = [*tiny, "iterations=2", f"runs_dir={finished.parent}", "name=it"]
    error = refused("train", overrides)
    assert f"The run folder {finished} exists already" in error
    assert "`resume=auto`" in error
    assert before == {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file()}


def test_results_without_a_checkpoint_can_be_neither_resumed_nor_evaluated(
    refused, finished, tmp_path
):
    copied = tmp_path / "it"
    shutil.copytree(finished, copied, ignore=shutil.ignore_patterns("*.ckpt"))
    assert "no checkpoint to resume from" in refused("train", [f"resume={copied}"])
    assert "has no checkpoint yet" in refused("evaluate", [f"run={copied}"])


def test_a_bomb_in_a_run_does_not_go_off(refused, finished, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    copied = tmp_path / "it"
    shutil.copytree(finished, copied)
    for path in checkpoints(copied / "checkpoints"):
        torch.save({"format": 1, "iteration": 3, "networks": Bomb()}, path)
    for verb, key in (("train", "resume"), ("evaluate", "run")):
        error = refused(verb, [f"{key}={copied}"])
        assert "has no readable checkpoint" in error
        assert "could run code when opened" in error
    assert not (tmp_path / "exploded").exists()


def test_a_loss_that_turns_nan_names_the_term_and_keeps_the_last_good_state(
    refused, tiny, tmp_path, carry_out
):
    rate = ["method=supervised", "method.optimizers.upscale.lr=1e30", "checkpoint_every=1"]
    error = refused("train", [*tiny, *rate, "iterations=9", f"runs_dir={tmp_path}", "name=it"])
    assert re.search(r"Term `upscale/pixel` became NaN or infinite at iteration \d+", error), error
    assert not (tmp_path / "it" / "results.json").exists()


def test_no_checkpoint_of_weights_that_are_not_finite_replaces_a_good_one(
    refused, tiny, tmp_path, monkeypatch
):
    step = Training.training_step

    def poisoned(training, batch, index):
        step(training, batch, index)
        if training.iteration == 4:  # as by a gradient that is NaN where the loss is not
            with torch.no_grad():
                next(training.networks["upscale"].parameters())[0, 0] = float("nan")

    monkeypatch.setattr(Training, "training_step", poisoned)
    overrides = [*tiny, "method=supervised", "checkpoint_every=1", "keep=2"]
    error = refused("train", [*overrides, "iterations=9", f"runs_dir={tmp_path}", "name=it"])
    assert "Network `upscale` became NaN or infinite at iteration 4" in error
    kept = [load_checkpoint(path) for path in checkpoints(tmp_path / "it" / "checkpoints")]
    assert [state["iteration"] for state in kept] == [3, 2]
    for state in kept:
        assert all(w.isfinite().all() for w in state["networks"]["upscale"].values())


def test_ctrl_c_outside_of_training_is_not_a_traceback(monkeypatch, capsys):
    def interrupted(overrides, console):
        raise KeyboardInterrupt

    assert main.run(interrupted, []) == 130
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_the_scripts_pass_on_what_was_typed_and_the_exit_code(verb, monkeypatch, capsys):
    for typed, code in ((["metric=classicle"], 2), (["--help"], 0)):
        monkeypatch.setattr(sys, "argv", [f"{verb}.py", *typed])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(command.CONF.parent / f"{verb}.py"), run_name="__main__")
        assert left.value.code == code
    error = capsys.readouterr().err
    assert error.startswith("error: `metric` must be one of ['classical', ")
    assert error.endswith("but got 'classicle'. Did you mean 'classical'?\n")
    assert error.count("\n") == 1


def test_the_console_script(monkeypatch, capsys):
    for typed, code in ((["train", "--help"], 0), (["evaluate", "x"], 2), (["trian"], 2)):
        monkeypatch.setattr(sys, "argv", ["wildsr", *typed])
        with pytest.raises(SystemExit) as left:
            main.main()
        assert left.value.code == code
    assert {"evaluate", "train"} <= set(command.verbs())
    assert capsys.readouterr().err == (
        "error: Arguments are key=value, but got 'x'.\n"
        f"error: The verb of `wildsr` must be one of {command.verbs()}, but got 'trian'. "
        "Did you mean 'train'?\n"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "/x/y"), "error: /x/y: No space left on device.\n"),
        (OSError(122, "Disk quota exceeded"), "error: Disk quota exceeded.\n"),
        (
            PermissionError(13, "Permission denied", b"/\xdf"),
            "error: /\\udcdf: Permission denied.\n",
        ),
    ],
)
def test_what_the_system_refuses_is_a_sentence(monkeypatch, capfd, error, said):
    def work(arguments, console):
        raise error

    assert main.run(work, []) == 2
    assert capfd.readouterr().err == said


def test_other_errors_are_not_hidden():
    def work(arguments, console):
        raise OSError(99999, "what is this?")

    with pytest.raises(OSError, match="what is this"):
        main.run(work, [])


def test_a_mode_of_wandb_is_checked_before_anything_is_made(refused, tiny, tmp_path):
    typed = ["logger=wandb", "logger.mode=onlne", f"runs_dir={tmp_path / 'runs'}", "iterations=2"]
    said = refused("train", [*tiny, *typed])
    assert "`logger.mode` must be one of ['auto', 'offline', 'online'], but got 'onlne'" in said
    assert not (tmp_path / "runs").exists()
