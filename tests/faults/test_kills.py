"""Kills at random moments: nothing half is left under a final name, and nothing is lost."""

import csv
import hashlib
import os
import random
import time

import numpy as np
import pytest
from support import campaign
from support.campaign import (
    begin,
    count,
    finish,
    half_written,
    kill_after,
    run,
    tally,
    trace_in,
    verbs,
)

from wildsr.run.checkpoint import checkpoints, load_checkpoint


def curves(folder):
    """The rows but for those of the clock, in order."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(int(i), n, v) for i, n, v in rows if n.split("/")[0] not in ("speed", "test")]


def lost(folder, whole):
    """A problem, if something of an iteration up to the newest checkpoint's is not there."""
    found = checkpoints(folder / "checkpoints")
    if not found:
        return None
    newest = int(found[0].stem.split("-")[1])
    rows = [row for row in curves(folder) if row[0] <= newest]
    expected = [row for row in whole if row[0] <= newest]
    if rows != expected:
        return f"of {len(expected)} rows up to {newest} there are {len(rows)}"
    for number in range(2, newest + 1, 2):
        name = f"iteration-{number:08d}"
        if not (folder / "images" / name / "contact.png").exists():
            return f"the picture of {number} of {newest} is lost"
        if not (folder / "snapshots" / f"{name}.safetensors").exists():
            return f"the snapshot of {number} of {newest} is lost"
    return None


@pytest.mark.heavy
def test_of_training(training, tmp_path):
    kills, choose = count(2, 0.5), random.Random(0)
    iterations = 60 if kills < 20 else 6 * kills
    straight = [*training, f"runs_dir={tmp_path}", f"iterations={iterations}"]
    code, said = run("train", [*straight, "name=straight"], tmp_path / "said.txt")
    assert code == 0, said
    whole, folder = curves(tmp_path / "straight"), tmp_path / "killed"
    command = [*straight, "name=killed", "resume=auto"]
    with tally("kills of train, without a lost row, picture or snapshot, or half a file") as held:
        while held.tried < kills:
            before = checkpoints(folder / "checkpoints")[:1]
            process = begin("train", command, tmp_path / "said.txt")
            if choose.random() < 0.7:  # else while it starts
                deadline = time.monotonic() + 120
                while process.is_alive() and time.monotonic() < deadline:
                    if checkpoints(folder / "checkpoints")[:1] != before:
                        break  # it is in the midst of it
                    time.sleep(0.005)
            if not kill_after(process, choose.uniform(0, 0.4)):
                said = (tmp_path / "said.txt").read_text(errors="replace")
                assert process.exitcode == 0, said
                break  # it is at its end
            held.add(half_written(folder) or lost(folder, whole))
        held.tried = max(held.tried, 1)
    code, said = run("train", command, tmp_path / "said.txt")
    assert code == 0, said
    assert curves(folder) == whole
    ends = [
        load_checkpoint(checkpoints(tmp_path / n / "checkpoints")[0])
        for n in ("straight", "killed")
    ]
    for one, other in zip(*(e["networks"]["upscale"].values() for e in ends), strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


def contents(folder):
    """Checksum by name of what a verb has made, but for what tells the time."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in (".png", ".safetensors")
    }


@pytest.mark.heavy
@pytest.mark.parametrize("verb", ["upscale", "degrade", "evaluate", "export"])
def test_of_other_verbs(trained, photos, tmp_path, verb):
    kills, choose = count(1, 0.15), random.Random(1)
    command = verbs(trained, photos, tmp_path / "straight")[verb]
    began = time.monotonic()
    code, said = run(verb, command, tmp_path / "said.txt")
    longest = time.monotonic() - began
    assert code == 0, said
    whole = contents(tmp_path / "straight")
    command = verbs(trained, photos, tmp_path / "killed")[verb]
    with tally(f"kills of {verb}, without half a file, and finished afterwards") as held:
        while held.tried < kills:
            process = begin(verb, command, tmp_path / "said.txt")
            kill_after(process, choose.uniform(0, longest))
            problem = half_written(tmp_path / "killed")
            if (problem is None and held.tried % 8 == 7) or held.tried == kills - 1:
                code, said = run(verb, command, tmp_path / "said.txt")
                problem = f"exit {code}: {said}" if code else trace_in(said)
                if problem is None and contents(tmp_path / "killed") != whole:
                    problem = "it made other files"
                leftovers = [p for p in (tmp_path / "killed").rglob(".*.part")]
                problem = problem or (f"{leftovers} stay" if len(leftovers) > 8 else None)
            held.add(problem)


@pytest.mark.heavy
def test_of_twins(training, tmp_path):
    """Two at once of one name, ``resume=auto``: one trains, the other is told."""
    with tally("twins of train of which one trains and one is told") as held:
        for number in range(count(1, 0.05)):
            command = [
                *(*training, f"runs_dir={tmp_path}", f"name=n{number}"),
                *("iterations=40", "resume=auto"),
            ]
            logs = [tmp_path / f"{number}-{n}.txt" for n in range(2)]
            both = [begin("train", command, log) for log in logs]
            codes = [finish(process) for process in both]
            said = [log.read_text() for log in logs]
            told = [s for c, s in zip(codes, said, strict=True) if c == 2 and "is being" in s]
            rows = [row[:2] for row in curves(tmp_path / f"n{number}")]
            problem = None
            if sorted(codes) != [0, 2] or len(told) != 1:
                problem = f"{codes}: {said}"
            elif len(rows) != len(set(rows)):
                problem = "rows are doubled"
            held.add(problem or trace_in("".join(said)))


def test_the_campaign_kills_with_the_signal_that_cannot_be_caught():
    assert campaign.context.get_start_method() == "forkserver"
    assert os.name == "posix"
