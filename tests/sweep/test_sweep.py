"""Searches on tiny trainings: found again, ended early, killed, shared."""

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from support.signals import heard

from wildsr.config.compose import configure
from wildsr.error import UserError
from wildsr.sweep import objective, study, sweep
from wildsr.sweep.objective import Objective, against
from wildsr.training import finish
from wildsr.training.module import Training

optuna = pytest.importorskip("optuna")
RATE = "method.optimizers.upscale.lr"
SEARCH = f"search={{{RATE}: [1.0e-5, 1.0e-2, log]}}"


@pytest.fixture
def quick(monkeypatch):
    """Trainings leave no pictures, card or page."""
    monkeypatch.setattr(finish, "pictures", lambda *_: {})
    monkeypatch.setattr(finish, "card_of_training", lambda *_: None)
    monkeypatch.setattr(finish, "write_page", lambda folder, *_: folder)


@pytest.fixture
def search(tiny, tmp_path, carry_out, quick):
    """``search(more)``: a sweep in tmp_path/it; its exit code."""
    typed = [*tiny, "method=supervised", "iterations=4", "validate_every=2", SEARCH]
    typed += [f"runs_dir={tmp_path}", "name=it"]
    return lambda *more: carry_out("sweep", [*typed, *more])


def table(folder):
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.heavy
def test_a_sweep_goes_on_where_it_was(search, tmp_path, capsys):
    assert search("trials=2") == 0
    out = capsys.readouterr().out
    assert "objective: PSNR (dB); higher is better" in out
    first = table(tmp_path / "it")
    assert {row["state"] for row in first} == {"complete"}
    assert float(first[0]["objective"]) >= float(first[1]["objective"])
    rates = {float(row[RATE]) for row in first}
    assert len(rates) == 2
    assert all(1e-5 <= rate <= 1e-2 for rate in rates)
    results = json.loads((tmp_path / "it/trials" / first[0]["trial"] / "results.json").read_text())
    psnr = {row["name"]: row["psnr"] for row in results["rows"]}
    assert float(first[0]["objective"]) == pytest.approx(psnr["supervised"], abs=1e-6)
    assert f"{RATE}=" in out.split("best: python train.py ")[1].splitlines()[0]
    page = (tmp_path / "it/sweep.html").read_text()
    assert RATE in page
    assert "2 complete" in page
    assert search("trials=3") == 0
    assert len(table(tmp_path / "it")) == 3
    assert capsys.readouterr().out.count("trial 000") == 1, "the first two are not trained again"
    assert search("trials=3") == 0
    assert "trial 000" not in capsys.readouterr().out


@pytest.mark.heavy
def test_another_sweep_does_not_go_on_in_its_folder(search, tmp_path, capsys):
    assert search("trials=1") == 0
    assert search("trials=2", "seed=4") == 2
    assert "is a sweep with other settings; choose another `name`" in capsys.readouterr().err
    (tmp_path / "it/sweep.json").unlink()
    assert search("trials=2") == 2
    assert "is no sweep" in capsys.readouterr().err


def test_workers_that_begin_at_the_same_moment_make_one_folder(tmp_path):
    """None takes what another one is just writing for a folder of something else."""
    overrides = ["data=demo", SEARCH, f"runs_dir={tmp_path}", "name=it"]
    config = configure("sweep", overrides)
    for number in range(10):
        with ThreadPoolExecutor(8) as pool:
            made = [pool.submit(sweep._folder, config, overrides) for _ in range(8)]
            assert {one.result() for one in made} == {tmp_path / "it"}
        shutil.move(tmp_path / "it", tmp_path / str(number))


@pytest.mark.heavy
def test_a_trial_that_falls_behind_is_ended(search, tmp_path, monkeypatch):
    """The first ones are good, the later ones bad from their first look on."""
    monkeypatch.setattr(study, "STARTUP", 2)
    values = iter([5.0, 5.0, 4.0, 4.0, -9.0, -8.0])
    monkeypatch.setattr(Objective, "of", lambda *_: next(values))
    assert search("trials=4") == 0
    states = {row["trial"]: row["state"] for row in table(tmp_path / "it")}
    assert states == {"0000": "complete", "0001": "complete", "0002": "pruned", "0003": "pruned"}
    assert not (tmp_path / "it/trials/0002/results.json").exists()


@pytest.mark.heavy
def test_a_trial_that_fails_costs_itself(search, tmp_path, monkeypatch, capsys):
    step, trials = Training.training_step, []

    def fail(training, batch, index):
        if training.iteration == 0:
            trials.append(training)
        if len(trials) == 1:
            raise UserError("Term `pixel` became NaN.")
        step(training, batch, index)

    monkeypatch.setattr(Training, "training_step", fail)
    assert search("trials=2") == 0
    assert "trial 0000: failed" in capsys.readouterr().out
    assert [row["state"] for row in table(tmp_path / "it")] == ["complete", "failed"]


@pytest.mark.heavy
def test_a_sweep_of_failures_says_why(search, monkeypatch, capsys):
    def fail(*_):
        raise UserError("There is no such thing.")

    monkeypatch.setattr(Training, "training_step", fail)
    assert search("trials=9") == 2
    assert "Of 3 trials all failed, the last one for this reason: There is no such thing." in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("ends", ["valued", "pruned", "failed", "measured"])
def test_a_trial_that_another_worker_took_over_costs_only_itself(
    search, tmp_path, monkeypatch, capsys, ends
):
    """Its folder was not there after a minute: no shared file system, or a slow one."""
    taken = []

    def carried(trial, *_):
        if taken:
            return 3.0, None
        taken.append(trial)
        assert study.again(trial.study, trial), "the other worker"
        if ends == "pruned":
            raise optuna.TrialPruned
        if ends == "failed":
            raise UserError("Term `pixel` became NaN.")
        if ends == "measured":
            trial.report(1.0, 2)
        return 2.0, None

    monkeypatch.setattr(sweep, "carry_out", carried)
    assert search("trials=2") == 0
    assert "trial 0000: another worker took it" in capsys.readouterr().out
    found = {row["trial"]: (row["state"], row["objective"]) for row in table(tmp_path / "it")}
    assert found == {"0000": ("complete", "3.0"), "0002": ("complete", "3.0")}, "0001 is the retry"


@pytest.mark.heavy
def test_a_signal_ends_it_and_the_trial_goes_on_where_it_was(search, tmp_path, monkeypatch, capsys):
    step, seen = Training.training_step, []

    def interrupted(training, batch, index):
        seen.append(training.iteration)
        if len(seen) == 6:  # the second iteration of the second trial
            os.kill(os.getpid(), signal.SIGTERM)
        step(training, batch, index)

    monkeypatch.setattr(Training, "training_step", interrupted)
    with heard():
        assert search("trials=2") == 128 + signal.SIGTERM
    assert "the same command goes on" in capsys.readouterr().out
    assert search("trials=2") == 0
    assert seen == [0, 1, 2, 3, 0, 1, 2, 3]
    assert {row["state"] for row in table(tmp_path / "it")} == {"complete"}


@pytest.mark.heavy
def test_the_storages(search, tmp_path, capsys):
    assert search("trials=1", "storage=journal") == 0
    assert (tmp_path / "it/sweep.journal").exists()
    assert search("trials=1", f"storage=sqlite:///{tmp_path}/other.db") == 0
    assert (tmp_path / "other.db").exists()
    capsys.readouterr()
    assert search("trials=1", "storage=nonsense") == 2
    assert "`storage` must be null, journal or the URL" in capsys.readouterr().err
    assert search("trials=1", "storage=nonsense://user:secret@host/x") == 2
    error = capsys.readouterr().err
    assert "`storage=host/x` cannot be opened" in error
    assert "secret" not in error
    assert "secret" not in (tmp_path / "it/sweep.json").read_text()


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["panel", "swd", "card"])
def test_without_truth(search, tmp_path, name, monkeypatch):
    monkeypatch.setattr(objective, "severity_of", lambda degrader, data: 0.25)
    assert search("trials=1", f"objective={name}", "data.val_hr=null", "data.val_lr=null") == 0
    value = float(table(tmp_path / "it")[0]["objective"])
    assert value == 0.25 if name == "card" else 0 < value < math.inf


@pytest.mark.parametrize("order", [(1.0, 4.0), (4.0, 1.0)])
def test_a_trial_is_compared_with_bicubic_by_its_own_degradation(order, monkeypatch):
    """A training stands for its degradation here; what does not need it is measured once."""
    config = configure("sweep", ["search={seed: [1, 9]}", "objective=panel"])
    made, measured = objective.Objective(config), []

    def rows(training, data, degrader, row, metrics=None):
        names = made.metrics if metrics is None else metrics
        measured.append((row, names))
        factor = 2.0 if row == objective.BICUBIC else 1.0
        return {n: factor * (degrader if n == "lr_discrepancy" else 1.0) for n in names}

    monkeypatch.setattr(made, "_degrader", lambda training: training)
    monkeypatch.setattr(made, "_rows", rows)
    found = {degradation: made.of(degradation, None) for degradation in order}
    for degradation, value in found.items():
        ours = {n: degradation if n == "lr_discrepancy" else 1.0 for n in made.metrics}
        assert value == pytest.approx(against(ours, {n: 2 * v for n, v in ours.items()}))
    assert sum("swd" in names for row, names in measured if row == objective.BICUBIC) == 1


def test_the_panel_in_one_figure():
    bicubic = {"lr_discrepancy": 3.5, "swd": 99.0, "noise_residue": None, "colour_drift": 1.0}
    assert against(bicubic, bicubic) == 1
    better = bicubic | {"lr_discrepancy": 1.5}
    assert against(better, bicubic) == pytest.approx((0.5 + 1 + 1) / 3)
    with pytest.raises(UserError, match="no metric of the panel"):
        against({}, bicubic)


def test_what_is_drawn_depends_on_seed_and_number_alone(tmp_path):
    config = SimpleNamespace(storage=None, pruner="none")
    space = sweep.space_of(configure("sweep", ["search={seed: [0, 999999]}"]))

    def drawn(place, seed):
        (tmp_path / place).mkdir()
        made = study.open_study(config, tmp_path / place, "it", True)
        return [study.draw(made, made.ask(), space, seed, "tpe")["seed"] for _ in range(3)]

    first = drawn("a", 0)
    assert len(set(first)) == 3
    assert drawn("b", 0) == first
    assert drawn("c", 1) != first


def test_a_trial_is_tried_again_a_few_times_only(tmp_path):
    made = study.open_study(SimpleNamespace(storage=None, pruner="none"), tmp_path, "it", True)
    tried = []
    trial = made.ask()
    for _ in range(study.AGAIN + 1):
        tried.append(study.again(made, trial))
        if tried[-1]:
            trial = made.ask()
    assert tried == [True] * study.AGAIN + [False]
    assert not study.again(made, trial), "it has ended"
    assert len(study.counted(made.get_trials())) == 1


def test_a_trial_that_is_stopped_goes_on_as_often_as_it_is_stopped(tmp_path):
    made = study.open_study(SimpleNamespace(storage=None, pruner="none"), tmp_path, "it", True)
    trial = made.ask()
    for _ in range(study.AGAIN + 3):
        trial.set_user_attr("stopped", 15)
        assert study.again(made, trial)
        trial = made.ask()
    assert len(study.counted(made.get_trials())) == 1


# Real processes -------------------------------------------------------------------------------


def started(typed, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    code = f"from wildsr.cli.main import start; raise SystemExit(start('sweep', {typed!r}))"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.heavy
def test_two_workers_share_and_a_killed_one_costs_nothing(tiny, tmp_path):
    typed = [*tiny, "method=supervised", "iterations=60", "checkpoint_every=1", SEARCH]
    typed += [f"runs_dir={tmp_path}", "name=it", "trials=4", "storage=journal"]
    one, other = started(typed, tmp_path), started(typed, tmp_path)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "it/trials").glob("*/checkpoints/*.ckpt")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    one.kill()
    one.wait()
    assert other.wait(300) == 0, other.stdout.read()
    last = started(typed, tmp_path)
    assert last.wait(300) == 0, last.stdout.read()
    rows = table(tmp_path / "it")
    assert len({row["trial"] for row in rows}) == len(rows) == 4  # a retry may have taken a number
    assert {row["state"] for row in rows} <= {"complete", "pruned"}
    assert sum(row["state"] == "complete" for row in rows) >= 2
    assert len({row[RATE] for row in rows}) == 4
