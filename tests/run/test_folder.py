"""Run folders: made once, found again."""

import contextlib
import json
import os

import pytest
import torch
from omegaconf import OmegaConf

from wildsr.atomic import write_text
from wildsr.error import UserError
from wildsr.run.checkpoint import save_checkpoint
from wildsr.run.folder import config_of, create, merged, plain_config, record, to_resume
from wildsr.run.lock import Lock
from wildsr.run.saved import overrides_of


def config(root, name=None, **more):
    return OmegaConf.create({"runs_dir": str(root), "name": name, **more})


# The least that a configuration of a run holds.
METHOD = {"_target_": "wildsr.method.wild.Wild", "name": "wild"}
NETWORKS = {"upscale": {"_target_": "wildsr.network.upscaler.compact.Compact", "scale": 4}}
RUN = {
    "scale": 4,
    "seed": 0,
    "data": {"_target_": "wildsr.data.module.Folders", "lr": "/lr"},
    "method": {**METHOD, "networks": NETWORKS},
}


def make(root, name, overrides, iteration=None, age=0):
    """A run folder with a checkpoint, written ``age`` seconds ago."""
    folder = create(config(root, name), overrides, "unused").folder
    if iteration is not None:
        path = save_checkpoint(folder / "checkpoints", {"iteration": iteration})
        time = path.stat().st_mtime - age
        os.utime(path, (time, time))
    return folder


def test_runs_are_numbered(tmp_path):
    names = [create(config(tmp_path), [], "wild-demo").folder.name for _ in range(3)]
    assert names == ["wild-demo", "wild-demo-2", "wild-demo-3"]
    assert not create(config(tmp_path / "not" / "yet"), [], "x").resumed


def test_a_run_that_exists_is_never_overwritten(tmp_path):
    first = make(tmp_path, "mine", ["seed=1"])
    with pytest.raises(UserError, match=r"run folder .*mine exists already; .*`name`.*resume=auto"):
        create(config(tmp_path, "mine"), ["seed=2"], "unused")
    assert overrides_of(first) == ["seed=1"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Cannot make the run folder .*file/mine: Not a directory"):
        create(config(tmp_path / "file", "mine"), [], "unused")


def test_a_run_keeps_what_was_typed_and_composed(tmp_path):
    typed = ["method=pdm", "resume=auto", "explain=false", "+new=1"]
    made = create(config(tmp_path, "mine", **RUN, patch="${scale}"), typed, "unused")
    assert json.loads((made.folder / "overrides.json").read_text()) == ["method=pdm", "+new=1"]
    assert config_of(made.folder) == {**config(tmp_path, "mine", **RUN), "patch": 4}
    assert sorted(p.name for p in made.folder.iterdir()) == [
        "config.yaml",
        "overrides.json",
        "typed.json",
    ]
    assert (made.checkpoints, made.weights, made.images) == tuple(
        made.folder / name for name in ("checkpoints", "weights", "images")
    )


def test_overrides_of_a_run_that_goes_on(tmp_path):
    saved = ["method=wild", "iterations=5", "data.lr=/a=b", "+method.ema=0"]
    new = ["iterations=9", "resume=auto", "method.ema=0.5"]
    folder = make(tmp_path, "mine", saved)
    assert merged(folder, new) == ["method=wild", "data.lr=/a=b", *new]


def test_a_run_keeps_the_weights_that_it_started_from(tmp_path):
    weights = tmp_path / "theirs.pth"
    weights.write_bytes(b"numbers")
    nodes = {**RUN, "network": {"upscaler": {"weights": "${weights}"}}}
    started = config(tmp_path, "mine", weights=str(weights), **nodes)
    typed = [f"weights={weights}", "seed=1"]
    create(started, typed, "unused")
    weights.unlink()
    moved = (tmp_path / "mine").rename(tmp_path / "moved")
    kept = moved / "start" / "theirs.pth"
    assert kept.read_bytes() == b"numbers"
    assert merged(moved, ["iterations=9"]) == ["seed=1", "iterations=9", f"weights={kept}"]
    assert config_of(moved).network.upscaler.weights == str(kept)
    save_checkpoint(moved / "checkpoints", {"iteration": 1})
    again = ["seed=1", f"weights={tmp_path / 'elsewhere' / 'theirs.pth'}", "resume=auto"]
    assert to_resume("auto", tmp_path, None, again) == moved
    other = ["seed=1", f"weights={tmp_path / 'others.pth'}"]
    assert to_resume("auto", tmp_path, None, other) is None


def test_auto_finds_the_newest_run_of_the_same_choices(tmp_path):
    typed = ["method=wild", "data.lr=/lr", "iterations=3"]
    assert to_resume("auto", tmp_path, None, typed) is None
    make(tmp_path, "older", typed, 3, age=100)
    newer = make(tmp_path, "newer", typed, 1, age=50)
    make(tmp_path, "without-checkpoint", typed)
    make(tmp_path, "other-method", ["method=pdm", *typed[1:]], 9)
    make(tmp_path, "other-data", [typed[0], "data.lr=/lr2"], 9)
    make(tmp_path, "fewer", typed[:1], 9)
    make(tmp_path, "more", [*typed, "seed=3"], 9)
    (tmp_path / "no-run").mkdir()
    assert to_resume("auto", tmp_path, None, [*typed, "resume=auto"]) == newer
    free = ["iterations=7", "seconds=1", "logger=csv", "trainer.devices=2", f"runs_dir={tmp_path}"]
    assert to_resume("auto", tmp_path, None, [*reversed(typed[:2]), *free]) == newer
    assert to_resume("auto", tmp_path, None, [*typed, "scale=2"]) is None


def test_auto_compares_what_was_typed_and_not_what_was_derived(tmp_path):
    """A run of gray 16-bit photos, or of other copies, has more overrides than were typed."""
    typed = ["method=wild", "data.lr=/lr"]
    derived = [*typed, "sensor.known=true", "scale=2", "metric.metrics=[colour_drift]"]
    made = create(config(tmp_path, "mine"), derived, "unused", typed=typed).folder
    save_checkpoint(made / "checkpoints", {"iteration": 1, "x": torch.zeros(1)})
    assert overrides_of(made) == derived
    assert to_resume("auto", tmp_path, None, typed) == made
    record(made, config(tmp_path, "mine"), [*derived, "finish=none"])
    assert to_resume("auto", tmp_path, None, typed) == made
    assert to_resume("auto", tmp_path, None, derived) is None


def test_auto_does_not_take_other_weights_of_the_same_name(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.pth").write_text(name)
    ours, theirs = (f"weights={tmp_path / name / 'net.pth'}" for name in ("a", "b"))
    started = config(tmp_path, "mine", weights=str(tmp_path / "a" / "net.pth"))
    made = create(started, [ours], "unused").folder
    save_checkpoint(made / "checkpoints", {"iteration": 1, "x": torch.zeros(1)})
    assert to_resume("auto", tmp_path, None, [ours]) == made
    assert to_resume("auto", tmp_path, None, [theirs]) is None


def test_auto_with_a_name_is_that_run(tmp_path):
    folder = make(tmp_path, "mine", ["method=wild"])
    make(tmp_path, "other", ["method=pdm"], 4)
    assert to_resume("auto", tmp_path, "mine", ["method=pdm"]) == folder
    assert to_resume("auto", tmp_path, "yours", ["method=pdm"]) is None


def test_a_folder_to_resume_must_be_a_run_with_a_checkpoint(tmp_path):
    folder = make(tmp_path, "mine", ["method=wild"])
    assert to_resume(str(folder), tmp_path, None, []) == folder  # it begins anew
    (folder / "weights").mkdir()
    with pytest.raises(UserError, match=r"mine has no checkpoint to resume from"):
        to_resume(str(folder), tmp_path, None, [])
    with pytest.raises(UserError, match=r"mine has no checkpoint to resume from"):
        to_resume("auto", tmp_path, "mine", [])
    save_checkpoint(folder / "checkpoints", {"iteration": 1, "x": torch.zeros(1)})
    assert to_resume(str(folder), tmp_path, None, []) == folder
    with pytest.raises(UserError, match=r"run folder .*nowhere does not exist"):
        to_resume(str(tmp_path / "nowhere"), tmp_path, None, [])
    with pytest.raises(UserError, match=r"is not a run folder \(no overrides.json\)"):
        to_resume(str(tmp_path), tmp_path, None, [])


@pytest.mark.parametrize("content", ["", "{", "[1"])
def test_a_torn_file_of_overrides_is_no_run(tmp_path, content):
    folder = make(tmp_path, "mine", [], 1)
    (folder / "overrides.json").write_text(content)
    with pytest.raises(UserError, match="is not a run folder"):
        overrides_of(folder)


def test_one_torn_run_does_not_keep_auto_from_the_others(tmp_path):
    folder = make(tmp_path, "mine", ["method=wild"], 1)
    (make(tmp_path, "torn", [], 1) / "overrides.json").write_text("[")
    assert to_resume("auto", tmp_path, None, ["method=wild"]) == folder


def test_a_config_is_asked_of_a_run_only(tmp_path):
    with pytest.raises(
        UserError, match=r"`run` must be a run folder, but .*nowhere does not exist"
    ):
        config_of(tmp_path / "nowhere")
    (tmp_path / "weights.safetensors").touch()
    with pytest.raises(UserError, match=r"is a file; a weights file is given as `weights`"):
        config_of(tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match=r"`run` must be a run folder, but .* has no config.yaml"):
        config_of(tmp_path)


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "it.txt"
    write_text(path, "first")
    write_text(path, "second")
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_config_as_plain_containers(tmp_path):
    plain = plain_config(OmegaConf.create({"a": 2, "b": {"c": ["${a}"]}}))
    assert plain == {"a": 2, "b": {"c": [2]}}
    assert type(plain) is dict
    assert type(plain["b"]["c"]) is list


@pytest.mark.parametrize(
    "left", [(), ("start/theirs.pth",), (".lock/00000001.free", "config.yaml")]
)
def test_a_start_that_was_cut_off_does_not_occupy_its_name(tmp_path, left):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in left:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("half")
    made = create(config(tmp_path, "mine", **RUN), ["seed=3"], "unused")
    assert made.folder == folder
    assert overrides_of(folder) == ["seed=3"]
    assert config_of(folder).scale == 4
    assert not (folder / "start").exists()


def test_a_folder_of_something_else_is_not_taken_for_one(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").write_text("")
    with pytest.raises(UserError, match="exists already"):
        create(config(tmp_path, "mine"), [], "unused")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["photo.jpg"]


def test_of_two_starts_of_one_name_one_is_told(tmp_path):
    with contextlib.ExitStack() as held:

        def claim(folder):
            return held.enter_context(Lock(folder, "trained"))

        first = create(config(tmp_path, "mine", resume="auto"), [], "unused", claim)
        with pytest.raises(UserError, match=r"mine is being trained by process \d+ on "):
            create(config(tmp_path, "mine", resume="auto"), [], "unused", claim)
    assert first.lock is not None
    with (
        contextlib.ExitStack() as held,
        pytest.raises(UserError, match="the same command now goes on with it"),
    ):
        create(config(tmp_path, "mine", resume="auto"), [], "unused", claim)
