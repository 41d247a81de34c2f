"""Stopped, killed or extended, a run goes on as if it had never been left."""

import csv
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter

import pytest
import torch
from support.processes import in_a_process
from support.signals import heard

from wildsr.cli import main as command
from wildsr.run.checkpoint import checkpoints, load_checkpoint
from wildsr.run.folder import config_of
from wildsr.run.lock import Lock
from wildsr.run.saved import overrides_of
from wildsr.training import checkpointing, session
from wildsr.training.checkpointing import SIGNALS
from wildsr.training.module import Training

# A pool, updates that are not always due, a schedule; BatchNorm and random draws come with PDM.
RICH = [
    "method=pdm",
    "network.critic.features=4",
    "network.critic.layers=2",
    *[
        f"network.degrader.{key}={value}"
        for key, value in {
            "features": 4,
            "kernel_noise": 4,
            "kernel_blocks": 1,
            "noise_blocks": 1,
        }.items()
    ],
    "+method.updates.judge.terms.real.pool=3",
    "+method.updates.degrade.every=2",
    "method.schedules.upscale.milestones=[2,4]",
]


def train(tiny, root, name, *more, method=RICH):
    """The verb in root/name, without the pictures at its end; its exit code."""
    named = [f"runs_dir={root}", *([f"name={name}"] if name else [])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wildsr.training.finish.pictures", lambda *_: {})
        return command.start("train", [*tiny, *method, *named, *more])


@pytest.fixture
def run(tiny, tmp_path):
    """``run("name", more)``: train in tmp_path/name with everything switched on; its exit code."""
    return lambda name, *more, **options: train(tiny, tmp_path, name, *more, **options)


@pytest.fixture(scope="module")
def undisturbed(tiny, tmp_path_factory):
    """The folder of six iterations without a stop."""
    root = tmp_path_factory.mktemp("undisturbed")
    assert train(tiny, root, "it", "iterations=6") == 0
    return root / "it"


@pytest.fixture
def straight(undisturbed):
    """The state at its end."""
    return state(undisturbed, 6)


def state(folder, iteration):
    """All that the newest checkpoint holds, but for the time that it took and the configuration."""
    newest = checkpoints(folder / "checkpoints")[0]
    found = torch.load(newest, weights_only=True)
    assert found["iteration"] == iteration
    del found["stages"]["began"]
    return {key: value for key, value in found.items() if key not in ("seconds", "config")}


def differences(one, other, at=""):
    """Where two states differ in a bit."""
    if isinstance(one, torch.Tensor):
        same = one.dtype == other.dtype and torch.equal(one, other)
        return [] if same else [at]
    if isinstance(one, dict) and one.keys() == other.keys():
        return [d for key in one for d in differences(one[key], other[key], f"{at}/{key}")]
    if isinstance(one, list) and len(one) == len(other):
        return [
            d
            for i, (a, b) in enumerate(zip(one, other, strict=True))
            for d in differences(a, b, f"{at}/{i}")
        ]
    return [] if one == other else [at]


def curves(folder):
    """(iteration, name) -> value, each there once, of what does not depend on the clock."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    doubled = [key for key, count in Counter((i, n) for i, n, _ in rows).items() if count > 1]
    assert not doubled
    return {(int(i), n): v for i, n, v in rows if n.split("/")[0] not in ("speed", "test")}


def test_the_states_hold_what_they_should(straight):
    """Else the comparisons below would compare nothing."""
    parts = {"networks", "ema", "optimizers", "pools", "stages", "settling", "guard"}
    assert straight.keys() == {"format", "iteration", *parts}
    assert set(straight["networks"]) == {"degrade", "critic", "upscale"}
    assert set(straight["ema"]) == {"upscale"}
    assert set(straight["optimizers"]) == {"degrade", "critic", "upscale"}
    steps = {n: int(o["state"][0]["step"]) for n, o in straight["optimizers"].items()}
    assert steps == {"degrade": 3, "critic": 6, "upscale": 6}
    assert [len(images) for images in straight["pools"][0]] == [0, 0, 3, 0]
    assert straight["optimizers"]["upscale"]["param_groups"][0]["lr"] == 2e-4 / 4
    assert straight["networks"]["degrade"]["kernel.body.1.num_batches_tracked"] == 6
    assert differences(straight, {**straight, "pools": []}) == ["/pools"]


@pytest.mark.heavy
def test_more_iterations(run, straight, undisturbed, tmp_path):
    for first in (1, 4):
        name = f"extended-{first}"
        assert run(name, f"iterations={first}") == 0
        assert run(name, "iterations=6", "resume=auto") == 0
        assert differences(straight, state(tmp_path / name, 6)) == []
        assert curves(tmp_path / name) == curves(undisturbed)
        assert overrides_of(tmp_path / name).count("iterations=6") == 1
        assert config_of(tmp_path / name).iterations == 6
    assert {i for i, _ in curves(undisturbed)} == set(range(1, 7))


@pytest.mark.heavy
def test_resume_by_the_folder_alone(run, straight, tmp_path, carry_out):
    assert run("by-folder", "iterations=3") == 0
    folder = tmp_path / "by-folder"
    assert carry_out("train", [f"resume={folder}", "iterations=6"]) == 0
    assert differences(straight, state(folder, 6)) == []


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, id=number.name, marks=() if index < 2 else pytest.mark.heavy)
        for index, number in enumerate(SIGNALS)
    ],
)
def test_a_signal_saves_and_leaves(
    run, straight, undisturbed, tmp_path, monkeypatch, capsys, number
):
    step = Training.training_step

    def interrupted(training, batch, index):
        if training.iteration == 2:
            os.kill(os.getpid(), number)
        step(training, batch, index)

    with heard(), monkeypatch.context() as patch:
        before = signal.getsignal(number)
        patch.setattr(Training, "training_step", interrupted)
        assert run("stopped", "iterations=6") == 128 + number
        assert signal.getsignal(number) is before
    folder = tmp_path / "stopped"
    assert (
        f"stopped and saved; go on with: python train.py resume={folder}" in capsys.readouterr().out
    )
    state(folder, 3)
    assert not (folder / "results.json").exists()
    assert run("stopped", "iterations=6", "resume=auto") == 0
    assert differences(straight, state(folder, 6)) == []
    assert curves(folder) == curves(undisturbed)
    assert (folder / "results.json").exists()


def test_nohup_goes_on_when_the_terminal_is_gone(run, tmp_path, monkeypatch):
    step = Training.training_step

    def hung_up(training, batch, index):
        os.kill(os.getpid(), signal.SIGHUP)
        step(training, batch, index)

    monkeypatch.setattr(Training, "training_step", hung_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run("it", "iterations=2") == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_is_gone_is_not_written_to(monkeypatch):
    leader, follower = os.openpty()
    with open(follower, "w") as terminal, open(os.devnull, "w") as other:
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr(sys, "stderr", other)
        os.close(leader)
        with pytest.raises(OSError, match="Input/output error"):
            print("is anybody there?", flush=True)
        checkpointing._leave_the_terminal()
        print("nobody", flush=True)
        assert os.fstat(follower).st_rdev == os.stat(os.devnull).st_rdev


@pytest.mark.heavy
def test_what_an_iteration_reports_is_there_before_its_checkpoint(run, tmp_path, monkeypatch):
    saved, folder = [], tmp_path / "it"
    save = checkpointing.save_checkpoint

    def seen(place, state, keep):
        number = state["iteration"]
        reported = {name for i, name in curves(folder) if i == number}
        saved.append(number)
        assert {"validation/psnr", "judge/real", "upscale/pixel"} <= reported
        assert (folder / "images" / f"iteration-{number:08d}" / "contact.png").exists()
        assert (folder / "snapshots" / f"iteration-{number:08d}.safetensors").exists()
        return save(place, state, keep)

    monkeypatch.setattr(checkpointing, "save_checkpoint", seen)
    every = ["checkpoint_every=2", "log_every=2", "validate_every=2", "snapshots=9"]
    assert run("it", "iterations=4", *every) == 0
    assert saved == [2, 4]


@pytest.mark.heavy
def test_a_run_that_is_trained_is_not_resumed(run, undisturbed, tmp_path, capsys):
    folder = shutil.copytree(undisturbed, tmp_path / "it")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    before = {p: data for p, data in before.items() if ".lock" not in p.parts}
    with Lock(folder, "trained"):
        for typed in (["resume=auto"], [f"resume={folder}"]):
            assert run("it", "iterations=9", *typed) == 2
            error = capsys.readouterr().err
            assert error.startswith(f"error: {folder} is being trained by process {os.getpid()}")
            assert error.count("\n") == 1
        assert run("it", "resume=auto", "explain=true") == 0  # only reads
    assert all(path.read_bytes() == data for path, data in before.items())
    assert run("it", "iterations=7", "resume=auto") == 0


@pytest.mark.heavy
def test_one_that_was_stopped_before_its_first_checkpoint_begins_anew(
    run, undisturbed, tmp_path, monkeypatch, capsys
):
    def ended(training, batch, index):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Training, "training_step", ended)
        with pytest.raises(MemoryError):
            run("it", "iterations=6")
    folder = tmp_path / "it"
    assert not checkpoints(folder / "checkpoints")
    capsys.readouterr()
    assert run("it", f"resume={folder}") == 0
    assert "it has no checkpoint yet, and begins anew" in capsys.readouterr().out
    assert differences(state(undisturbed, 6), state(folder, 6)) == []


def test_a_finished_run_is_only_reported_again(run, straight, undisturbed, tmp_path):
    folder = shutil.copytree(undisturbed, tmp_path / "finished")
    before = curves(folder)
    (folder / "results.json").unlink()
    assert run("finished", "iterations=6", "resume=auto") == 0
    assert differences(straight, state(folder, 6)) == []
    assert curves(folder) == before
    assert (folder / "results.json").exists()


@pytest.mark.heavy
def test_a_damaged_checkpoint_falls_back_to_the_one_before(run, straight, undisturbed, tmp_path):
    assert run("damaged", "iterations=4", "checkpoint_every=2") == 0
    folder = tmp_path / "damaged"
    newest, older = checkpoints(folder / "checkpoints")
    newest.write_bytes(newest.read_bytes()[:999])
    assert run("damaged", "iterations=6", "resume=auto") == 0
    assert differences(straight, state(folder, 6)) == []
    assert curves(folder) == curves(undisturbed)
    assert load_checkpoint(older)["iteration"] == 2 if older.exists() else True


def test_auto_starts_a_new_run_if_there_is_none_of_the_same_choices(run, tmp_path):
    plain = ["method=supervised"]
    assert run(None, "iterations=2", method=plain) == 0
    assert run(None, "iterations=3", "resume=auto", method=plain) == 0
    assert run(None, "iterations=2", "resume=auto", "seed=1", method=plain) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "supervised-folders",
        "supervised-folders-2",
    ]
    state(tmp_path / "supervised-folders", 3)
    state(tmp_path / "supervised-folders-2", 2)


def test_going_on_reads_each_checkpoint_and_builds_each_training_once(
    run, undisturbed, tmp_path, monkeypatch
):
    shutil.copytree(undisturbed, tmp_path / "it")
    read, built, load, build = Counter(), [], torch.load, session.build_training

    def counted_load(path, *args, **options):
        read[str(path)] += 1
        return load(path, *args, **options)

    def counted_build(config):
        built.append(build(config))
        return built[-1]

    monkeypatch.setattr(torch, "load", counted_load)
    monkeypatch.setattr(session, "build_training", counted_build)
    newest = checkpoints(tmp_path / "it" / "checkpoints")[0]
    assert run("it", "iterations=8", "resume=auto") == 0
    assert read[str(newest)] == 1
    assert max(read.values()) == 1
    assert len(built) == 1
    assert built[0].iteration == 8


@pytest.mark.heavy
def test_a_run_does_not_go_on_as_another(run, tmp_path, capsys):
    plain = ["method=supervised"]
    assert run("it", "iterations=2", method=plain) == 0
    folder = tmp_path / "it"
    files = [folder / name for name in ("config.yaml", "overrides.json", "metrics.csv")]
    before, saved = state(folder, 2), [path.read_bytes() for path in files]
    capsys.readouterr()
    for changed in ("network.upscaler.features=5", "method=wild"):
        assert run("it", "iterations=4", "resume=auto", changed, method=plain) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: The checkpoint's network `"), error
        assert error.count("\n") == 1
        assert [path.read_bytes() for path in files] == saved, "nothing of the run is changed"
        assert differences(before, state(folder, 2)) == []
    assert run("it", "iterations=4", "resume=auto", method=plain) == 0


@pytest.mark.heavy
def test_the_baseline_goes_on_too(run, tmp_path, monkeypatch):
    plain, step = ["method=supervised", "baseline=true"], Training.training_step
    stopping = []

    def interrupted(training, batch, index):
        stopping.append(training)
        if training is not stopping[0]:  # the second one is the baseline
            os.kill(os.getpid(), signal.SIGTERM)
        step(training, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "training_step", interrupted)
        assert run("it", "iterations=20", method=plain) == 128 + signal.SIGTERM
    folder = tmp_path / "it"
    inner = folder / "bicubic-trained"
    state(inner, 1)
    assert run("it", "resume=auto", "iterations=20", method=plain) == 0
    assert load_checkpoint(checkpoints(inner / "checkpoints")[0])["iteration"] > 1
    curves(inner)
    state(folder, 20)


@pytest.fixture(scope="module")
def staged(tiny, of, tmp_path_factory):
    """The folder of six iterations of a method of two stages, without a stop."""
    root = tmp_path_factory.mktemp("staged")
    assert train(tiny, root, "it", "iterations=6", method=of("dsgan")) == 0
    return root / "it"


@pytest.mark.heavy
@pytest.mark.parametrize("stop", [2, 3, 4], ids=["within", "at the border", "beyond"])
def test_a_method_with_stages_goes_on_in_its_stage(run, of, staged, tmp_path, monkeypatch, stop):
    """Three iterations of each; the batch normalisation of a frozen critic stays as it was."""
    step = Training.training_step

    def interrupted(training, batch, index):
        if training.iteration == stop - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        step(training, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "training_step", interrupted)
        assert run("it", "iterations=6", method=of("dsgan")) == 128 + signal.SIGTERM
    steps = {
        name: int(optimizer["state"][0]["step"]) if optimizer["state"] else 0
        for name, optimizer in state(tmp_path / "it", stop)["optimizers"].items()
    }
    learned, used = min(stop, 3), max(stop - 3, 0)
    assert steps == {"degrade": learned, "critic": learned, "upscale": stop, "critic_hr": used}
    assert run("it", "iterations=6", "resume=auto", method=of("dsgan")) == 0
    straight = state(staged, 6)
    assert straight["networks"]["critic"]["body.3.num_batches_tracked"] == 9  # real, fake, fooled
    assert differences(straight, state(tmp_path / "it", 6)) == []
    assert curves(tmp_path / "it") == curves(staged)


# kill -9 --------------------------------------------------------------------------------------

TORN = ["checkpoint_every=1", "log_every=7", "keep=3"]


def iterations(folder):
    return [int(path.stem.split("-")[1]) for path in checkpoints(folder / "checkpoints")]


@pytest.mark.heavy
def test_a_kill_at_any_moment(run, tiny, tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["wildsr.cli.train"])
    choose, folder = random.Random(0), tmp_path / "killed"
    typed = [*tiny, *RICH, *TORN, f"runs_dir={tmp_path}", "name=killed", "resume=auto"]
    typed += ["iterations=100000"]  # it never ends by itself
    seen = [0]
    for _ in range(3):
        process = context.Process(target=in_a_process, args=(typed,))
        process.start()
        deadline = time.monotonic() + 120
        while max(iterations(folder), default=0) <= seen[-1] and process.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(choose.uniform(0, 0.15))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "it was to be killed, not to finish"
        found = [load_checkpoint(path)["iteration"] for path in checkpoints(folder / "checkpoints")]
        assert found == iterations(folder), "every one is readable"
        assert len(found) >= min(2, found[0])
        assert found[0] > seen[-1], "at most an interval is lost"
        seen.append(found[0])
    last = seen[-1] + 3
    assert run("killed", *TORN, f"iterations={last}", "resume=auto") == 0
    assert run("undisturbed", *TORN, f"iterations={last}") == 0
    assert differences(state(tmp_path / "undisturbed", last), state(folder, last)) == []
    assert curves(folder) == curves(tmp_path / "undisturbed"), "no row is lost"
    assert not list((folder / "checkpoints").glob(".*"))


@pytest.mark.heavy
def test_a_run_whose_photos_have_moved_or_changed(run, photos, fill, tmp_path, capsys):
    """The key belongs to a choice that the run has made: it need not be made again."""
    plain = ["method=supervised"]
    assert run("it", "iterations=2", method=plain) == 0
    moved = shutil.copytree(photos.hr, tmp_path / "moved")
    capsys.readouterr()
    go_on = [f"resume={tmp_path / 'it'}", f"data.hr={moved}"]
    assert command.start("train", [*go_on, "iterations=3"]) == 0
    assert "other photos" not in capsys.readouterr().out
    assert config_of(tmp_path / "it").data.hr == str(moved)
    fill(tmp_path / "more", 1, (64, 72), seed=9)
    shutil.move(tmp_path / "more" / "photo0.png", moved / "photo9.png")
    assert command.start("train", [*go_on, "iterations=4"]) == 0
    assert "`data.hr` holds other photos than when the run was left (1 added)" in (
        capsys.readouterr().out
    )


def test_the_same_command_goes_on_without_a_key_that_it_takes_away(tmp_path):
    saved = ["degradation=realesrgan", "~degradation.steps.blur_again", "scale=2"]
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "overrides.json").write_text(json.dumps(saved))
    typed = [*saved[:2], "resume=auto", "name=it", f"runs_dir={tmp_path}"]
    assert command.with_saved(typed) == ["scale=2", *typed]
