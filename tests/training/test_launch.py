"""Several processes as users start them: by Lightning's own launcher and by torchrun."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.ports import free_port

import wildsr
from wildsr.run.checkpoint import checkpoints, load_checkpoint
from wildsr.training.rank import process_rank

SCRIPT = Path(__file__).parents[1] / "support" / "together.py"


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, 0),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, 0),
        ({"LOCAL_RANK": "1"}, 1),
        ({"NODE_RANK": "1"}, 1),  # the first process of the second machine
        ({"RANK": "0", "LOCAL_RANK": "0"}, 0),
        ({"RANK": "3", "LOCAL_RANK": "1"}, 3),
        ({"SLURM_PROCID": "2", "SLURM_NTASKS": "4"}, 2),
        ({"SLURM_PROCID": "0"}, 0),
        ({"RANK": ""}, 0),
    ],
)
def test_who_is_first(monkeypatch, environment, rank):
    for name in ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert process_rank() == rank


def started(command, tmp_path, **environment):
    """A command in a process of its own, as from a terminal; its exit code and what it printed."""
    support = str(SCRIPT.parents[1])
    path = os.pathsep.join([support, str(Path(wildsr.__file__).parents[1])])
    clean = {k: v for k, v in os.environ.items() if k not in ("LOCAL_RANK", "RANK", "WILDSR_RUN")}
    clean |= {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MASTER_PORT": str(free_port())}
    done = subprocess.run(
        command, cwd=tmp_path, env=clean | environment, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def left(folder):
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


def same(one, other):
    return all(
        torch.equal(value, other[name][key])
        for name, weights in one.items()
        for key, value in weights.items()
    )


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        found = [row for row in csv.reader(file) if not row[1].startswith(("speed", "test"))]
    assert len({(i, name) for i, name, _ in found}) == len(found), "a row is there twice"
    return found


def state(folder):
    found = load_checkpoint(checkpoints(folder / "checkpoints")[0])
    return {name: found[name] for name in ("networks", "ema")} | {"iteration": found["iteration"]}


@pytest.mark.heavy
def test_lightnings_launcher_equals_one_process_on_the_joined_batch(small, plain_batches, tmp_path):
    """L1 is a mean over the batch, and so is the mean of the gradients of its halves."""
    batches = [plain_batches(3, seed=rank) for rank in (0, 1)]
    joined = [
        {name: torch.cat([one[name], other[name]]) for name in one}
        for one, other in zip(*batches, strict=True)
    ]
    overrides = ["data=folders", "data.lr=.", "data.hr=.", "data.patch=8", *small]
    overrides += ["method=supervised", "degradation=bicubic"]
    for name, given, more in (("two", batches, ["trainer.devices=2"]), ("one", [joined], [])):
        (tmp_path / name).mkdir()
        torch.save(given, tmp_path / name / "batches.pt")
        script = tmp_path / name / "fit.py"
        script.write_text(
            "import sys, torch\nfrom pathlib import Path\n"
            "from support.processes import fit_and_save\n"
            "here = Path(__file__).parent\ntorch.set_num_threads(1)\n"
            "batches = torch.load(here / 'batches.pt', weights_only=True)\n"
            f"sys.exit(fit_and_save({[*overrides, *more]!r}, batches, here))\n"
        )
        code, said = started([sys.executable, str(script)], tmp_path)
        assert code == 0, said
    first, second = left(tmp_path / "two")
    alone = torch.load(tmp_path / "one" / "0.pt", weights_only=True)
    assert (first["world"], second["world"], alone["world"]) == (2, 2, 1)
    for part in ("networks", "ema"):
        assert same(first["state"][part], second["state"][part])
        for name, weights in first["state"][part].items():
            for key, value in weights.items():
                torch.testing.assert_close(
                    value, alone["state"][part][name][key], rtol=0, atol=1e-6
                )
    losses = [found["values"]["upscale/pixel"] for found in (first, second, alone)]
    assert losses[0] != losses[1], "each saw its own half"
    torch.testing.assert_close((losses[0] + losses[1]) / 2, losses[2], rtol=0, atol=1e-6)


@pytest.mark.heavy
def test_the_verb_on_two_devices(tiny, tmp_path):
    """One command: crops of their own, one camera, one voice; and a signal to any ends all."""
    typed = [*tiny, "method=wild", "finish=none", "trainer.devices=2", f"runs_dir={tmp_path}"]
    typed += ["iterations=4", "checkpoint_every=2", "validate_every=2", "resume=auto"]

    def run(name, **environment):
        (tmp_path / f"{name}-left").mkdir(exist_ok=True)
        command = [sys.executable, str(SCRIPT), str(tmp_path / f"{name}-left"), *typed]
        return started([*command, f"name={name}"], tmp_path, **environment)

    code, said = run("whole")
    assert code == 0, said
    assert said.count("run folder: ") == 1
    assert said.count("camera: ") == 1
    first, second = left(tmp_path / "whole-left")
    assert first["iteration"] == second["iteration"] == 4
    assert len(first["batches"]) == 4
    for ours, theirs in zip(first["batches"], second["batches"], strict=True):
        assert not torch.equal(ours["hr"], theirs["hr"]), "each draws its own crops"
    assert same(first["networks"], second["networks"])
    names = [r["name"] for r in json.loads((tmp_path / "whole/results.json").read_text())["rows"]]
    assert names == ["bicubic", "wild"]
    rows(tmp_path / "whole")
    assert len(list((tmp_path / "whole/images").iterdir())) == 2

    code, said = run("parts", INTERRUPTED="1:1")  # the second process alone is asked to stop
    assert code == 128 + signal.SIGUSR1, said
    assert "stopped and saved; go on with" in said
    assert state(tmp_path / "parts")["iteration"] == 2
    code, said = run("parts")
    assert code == 0, said
    whole, parts = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert same(whole["networks"], parts["networks"])
    assert same(whole["ema"], parts["ema"])
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")


@pytest.mark.heavy
def test_what_ends_the_first_process_ends_the_others(tiny, tmp_path):
    typed = [*tiny, "method=supervised", "trainer.devices=2", f"runs_dir={tmp_path}", "name=it"]
    typed += ["iterations=3", "method.optimizers.upscale.lr=1.0e+30"]
    code, said = started([sys.executable, str(SCRIPT), str(tmp_path), *typed], tmp_path)
    assert code == 2, said
    assert "became NaN or infinite" in said


@pytest.mark.heavy
def test_torchrun(tiny, tmp_path):
    typed = [*tiny, "method=wild", "finish=none", "trainer.devices=2", f"runs_dir={tmp_path}"]
    typed += ["iterations=2", "name=it", "resume=auto"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    launcher += [f"--master-port={free_port()}"]
    code, said = started([*launcher, str(SCRIPT), str(tmp_path), *typed], tmp_path)
    assert code == 0, said
    assert said.count("run folder: ") == 1
    first, second = left(tmp_path)
    assert not torch.equal(first["batches"][0]["hr"], second["batches"][0]["hr"])
    assert same(first["networks"], second["networks"])
    assert (tmp_path / "it/results.json").exists()
