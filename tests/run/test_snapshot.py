"""Averaged weights on the way: which are kept, and that they are those of the run."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from wildsr.error import UserError
from wildsr.run.checkpoint import checkpoints, load_checkpoint
from wildsr.run.load import restorer_of
from wildsr.run.snapshot import available, chosen, save_snapshot, snapshots


@pytest.mark.parametrize(
    ("last", "kept"),
    [
        (40, [10, 20, 30, 40]),
        (50, [20, 40]),
        (80, [20, 40, 60, 80]),
        (100, [40, 80]),
        (165, [40, 80, 120, 160]),
        (200, [80, 160]),
    ],
)
def test_they_are_thinned_out_evenly(tmp_path, last, kept):
    network = {"upscale": torch.nn.Linear(1, 1)}
    for iteration in range(1, last + 1):
        save_snapshot(tmp_path, network, iteration, every=10, keep=4)
        assert len(list(tmp_path.glob("*"))) <= 4
    assert list(snapshots(tmp_path)) == kept


def test_none_are_kept_for_zero(tmp_path):
    save_snapshot(tmp_path / "s", {"upscale": torch.nn.Linear(1, 1)}, 10, every=10, keep=0)
    assert not (tmp_path / "s").exists()


def test_a_run_that_goes_back_forgets_what_came_later(tmp_path):
    network = {"upscale": torch.nn.Linear(1, 1)}
    for iteration in (10, 20, 30, 20):
        save_snapshot(tmp_path, network, iteration, every=10, keep=4)
    assert list(snapshots(tmp_path)) == [10, 20]


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny):
    """Six iterations with a snapshot every two."""
    from wildsr.cli import main as command

    root = tmp_path_factory.mktemp("snapshots")
    overrides = [o for o in tiny if not o.startswith("checkpoint_every")]
    typed = [*overrides, "checkpoint_every=2", "method=supervised", "iterations=6"]
    assert command.start("train", [*typed, f"runs_dir={root}", "name=it"]) == 0
    return root / "it"


def test_a_snapshot_is_the_average_of_its_checkpoint(run):
    assert available(run) == [2, 4, 6]
    state = load_checkpoint(checkpoints(run / "checkpoints")[0])
    assert state["iteration"] == 6
    stored = load_file(run / "snapshots" / "iteration-00000006.safetensors")
    average = state["ema"]["upscale"]
    assert stored.keys() == {f"upscale.{key}" for key in average}
    assert all(torch.equal(stored[f"upscale.{key}"], value) for key, value in average.items())
    lr = torch.rand(1, 3, 8, 8)
    first, last = (restorer_of(run, at)(lr) for at in (2, 6))
    assert not torch.equal(first, last)


def test_checkpoints_all(run, tmp_path, carry_out, capsys):
    import json

    overrides = [f"run={run}", "checkpoints=all", f"output={tmp_path / 'out'}", "page_mb=1"]
    assert carry_out("evaluate", [*overrides, "metric.metrics=[psnr]"]) == 0
    found = json.loads((tmp_path / "out" / "checkpoints.json").read_text())
    assert [c["iteration"] for c in found["checkpoints"]] == [2, 4, 6]
    assert "psnr" not in found["panel"], "the truth has no part in it"
    assert "colour_drift" in found["panel"]
    assert 1 <= len(found["front"]) <= 3
    assert (tmp_path / "out" / "front.png").exists()
    assert "no score adds them up" in capsys.readouterr().out
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert "on the front" in page
    names = [r["name"] for r in json.loads((tmp_path / "out" / "results.json").read_text())["rows"]]
    assert names == ["bicubic", "supervised 2", "supervised 4", "supervised 6"]


def test_what_is_typed_wrong(run, refused, tmp_path):
    out = f"output={tmp_path / 'out'}"
    for typed, message in (
        ("checkpoints=[3]", "must be among [2, 4, 6]"),
        ("checkpoints=some", "must be last, all or a list of iterations, but got 'some'"),
    ):
        assert message in refused("evaluate", [f"run={run}", typed, out])
    assert "which side is better" in refused(
        "evaluate", [f"run={run}", "checkpoints=all", "panel=[sharpness]", out]
    )


def test_a_damaged_snapshot_costs_its_row(run, tmp_path, carry_out):
    import json

    copy = tmp_path / "it"
    shutil.copytree(run, copy)
    (copy / "snapshots" / "iteration-00000004.safetensors").write_bytes(b"no")
    save_file({"upscale.no": torch.zeros(1)}, copy / "snapshots" / "iteration-00000002.safetensors")
    with pytest.raises(UserError, match="is damaged"):
        restorer_of(copy, 4)
    overrides = [f"run={copy}", "checkpoints=all", f"output={tmp_path / 'out'}", "page_mb=0"]
    assert carry_out("evaluate", [*overrides, "metric.metrics=[psnr]"]) == 1
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert len(found["failed"]) == 4
    assert [row["images"] for row in found["rows"]] == [2, 0, 0, 2]


def test_which_iterations_are_chosen(tmp_path):
    with pytest.raises(UserError, match="has no checkpoint yet"):
        chosen(tmp_path, "all")
    for iteration in (10, 20, 30):
        save_snapshot(tmp_path / "snapshots", {}, iteration, 10, 9)
    assert chosen(tmp_path, "all") == [10, 20, 30]
    assert chosen(tmp_path, 20) == [20]
    assert chosen(tmp_path, [30, 10, 30]) == [10, 30]
    with pytest.raises(UserError, match=r"`checkpoints` must be among \[10, 20, 30\] .* got 15"):
        chosen(tmp_path, [10, 15])
