"""Two processes train as one would on their joined batch, and stay together."""

import json
import multiprocessing

import pytest
import torch
from support.ports import free_port
from support.processes import fit_and_save, one_of_two, train_the_verb

pytestmark = pytest.mark.heavy

TOGETHER = ["trainer.devices=2", "trainer.strategy=ddp_find_unused_parameters_true"]


@pytest.fixture
def both():
    """``both(function, *arguments)``: in two processes; their exit codes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["wildsr.cli.train"])

    def start(function, *arguments):
        port = free_port()
        processes = [
            context.Process(target=one_of_two, args=(rank, port, function, arguments))
            for rank in (0, 1)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
            if process.is_alive():
                process.kill()
        return [process.exitcode for process in processes]

    return start


def left(folder, rank):
    return torch.load(folder / f"{rank}.pt", weights_only=True)


def assert_close(one, other, atol):
    assert one.keys() == other.keys()
    for name, weights in one.items():
        for key, value in weights.items():
            torch.testing.assert_close(
                value,
                other[name][key],
                rtol=0,
                atol=atol,
                msg=lambda m, k=f"{name}.{key}": f"{k}: {m}",
            )


def shared(small, *overrides):
    return ["data=folders", "data.lr=.", "data.hr=.", "data.patch=8", *small, *overrides]


def test_two_processes_equal_one_on_the_joined_batch(both, small, plain_batches, tmp_path):
    """L1 is a mean over the batch, and so is the mean of the gradients of its halves."""
    batches = [plain_batches(3, seed=rank) for rank in (0, 1)]
    overrides = shared(small, "method=supervised", "degradation=bicubic")
    assert both(fit_and_save, [*overrides, *TOGETHER], batches, tmp_path) == [0, 0]
    joined = [
        {name: torch.cat([one[name], other[name]]) for name in one}
        for one, other in zip(*batches, strict=True)
    ]
    single = tmp_path / "single"
    single.mkdir()
    assert fit_and_save(overrides, [joined], single) == 0
    first, second, alone = left(tmp_path, 0), left(tmp_path, 1), left(single, 0)
    assert (first["world"], second["world"], alone["world"]) == (2, 2, 1)
    for part in ("networks", "ema"):
        assert_close(first["state"][part], second["state"][part], 0)
        assert_close(first["state"][part], alone["state"][part], 1e-6)
    losses = [found["values"]["upscale/pixel"] for found in (first, second, alone)]
    assert losses[0] != losses[1], "each saw its own half"
    torch.testing.assert_close((losses[0] + losses[1]) / 2, losses[2], rtol=0, atol=1e-6)


def test_adversarial_updates_run_together(both, small, plain_batches, tmp_path):
    batches = [plain_batches(3, seed=rank) for rank in (0, 1)]
    pool = "+method.updates.judge.terms.real.pool=2"
    overrides = shared(
        small, "method=adversarial_camera", pool, "+method.updates.degrade.every=2", *TOGETHER
    )
    assert both(fit_and_save, overrides, batches, tmp_path) == [0, 0]
    first, second = left(tmp_path, 0), left(tmp_path, 1)
    for part in ("networks", "ema"):
        assert_close(first["state"][part], second["state"][part], 0)
    pools = [found["state"]["pools"] for found in (first, second)]
    assert len(pools[0]) == 2, "one for each process"
    ours, theirs = pools[0]
    assert not torch.equal(ours[1][0], theirs[1][0])
    assert all(torch.equal(a, b) for a, b in zip(pools[0][1][1], pools[1][1][1], strict=True))


def test_a_network_that_two_updates_train_stays_the_same_everywhere(
    both, small, of, plain_batches, tmp_path
):
    """CinCGAN's cleaner moves twice in an iteration of its second stage, of several networks."""
    batches = [plain_batches(2, seed=rank) for rank in (0, 1)]
    overrides = shared(small, *of("cincgan"), "iterations=2", *TOGETHER)
    assert both(fit_and_save, overrides, batches, tmp_path) == [0, 0]
    first, second = left(tmp_path, 0), left(tmp_path, 1)
    assert {"translate/cycle", "joint/cycle"} <= first["values"].keys()
    assert first["values"]["joint/cycle"] != second["values"]["joint/cycle"]
    for part in ("networks", "ema"):
        learned = [
            {
                name: {k: v for k, v in weights.items() if "running" not in k}
                for name, weights in found["state"][part].items()
            }
            for found in (first, second)
        ]
        assert_close(*learned, 0)


def test_the_stages_of_dasr_run_together(both, of, small, plain_batches, tmp_path):
    """Two iterations of each: what a stage does not train, no process moves."""
    batches = [plain_batches(4, seed=rank) for rank in (0, 1)]
    overrides = shared(small, *of("dasr"), "method.stages.upscale=1", "iterations=4", *TOGETHER)
    assert both(fit_and_save, overrides, batches, tmp_path) == [0, 0]
    first, second = left(tmp_path, 0), left(tmp_path, 1)
    for part in ("networks", "ema"):
        assert_close(first["state"][part], second["state"][part], 0)
    steps = {n: int(o["state"][0]["step"]) for n, o in first["state"]["optimizers"].items()}
    assert steps == dict.fromkeys(("degrade", "critic", "upscale", "critic_hr"), 2)
    assert first["values"].keys() == {
        *(f"upscale/{term}" for term in ("pixel", "seen", "low", "fool")),
        "judge_hr/real",
    }


def test_the_verb_trains_together_and_reports_once(both, tiny, tmp_path):
    folder = tmp_path / "it"
    overrides = [*tiny, *TOGETHER, "method=wild", f"runs_dir={tmp_path}", "name=it"]
    overrides += ["iterations=2", "baseline=true", "checkpoint_every=1", "validate_every=1"]
    assert both(train_the_verb, overrides, folder) == [0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.txt", "1.txt", "it"]
    first, second = ((tmp_path / f"{rank}.txt").read_text() for rank in (0, 1))
    assert "run folder: " in first
    assert "| wild " in first
    assert second == "", "only the first process speaks"
    rows = json.loads((folder / "results.json").read_text())["rows"]
    assert [row["name"] for row in rows] == ["bicubic", "bicubic-trained", "wild"]
    curves = (folder / "metrics.csv").read_text()
    assert curves.count("upscale/pixel") == 2
    again = [f"resume={folder}", "iterations=3", "baseline=false"]
    assert both(train_the_verb, again, folder) == [0, 0]
    assert (folder / "metrics.csv").read_text().count("upscale/pixel") == 3
