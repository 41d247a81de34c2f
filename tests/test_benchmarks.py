"""The scripts under benchmarks/: what they say about the machine, and that they run."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "benchmarks"
MACHINE = {
    "cpu": "A CPU",
    "flags": ["avx2"],
    "cores": 2,
    "threads": 1,
    "torch": "2.6",
    "busy": 0.03,
    "load": [0.1, 0.2, 0.3],
}


@pytest.fixture
def scripts(monkeypatch):
    """The scripts' folder on the path of imports, as it is where one of them runs."""
    monkeypatch.syspath_prepend(str(SCRIPTS))


def carry_out(name, *typed):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(SCRIPTS / name), *map(str, typed)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_machine_says_what_it_is(scripts):
    import machine

    found = machine.facts()
    assert found["cores"] == os.cpu_count()
    assert 0 <= found["busy"] <= 1
    assert json.loads(json.dumps(found)) == found
    assert machine.sentence(MACHINE) == (
        "A CPU (avx2), 2 cores, torch 2.6 with 1 threads, 3% busy and a load of 0.1 before it began"
    )
    card = {"gpu": "A card", "gpu_memory_gb": 80.1}
    assert machine.sentence(MACHINE | card).startswith("A card (80 GB), A CPU (avx2)")


@pytest.mark.parametrize("ratios", [True, False])
def test_no_ratios_beside_other_programs(scripts, capsys, ratios):
    import upscale

    def figures(seconds):
        return [{"megapixels": 3.0, "seconds": seconds, "worked": seconds, "peak": 0.5}]

    taken = {"realesrgan": figures(3.0), "torch": figures(2.0)}
    upscale.table("photos", taken, {}, ratios)
    said = capsys.readouterr().out
    assert "| upscale, engine=torch | 1.50 |" in said
    assert ("1.50 | 1.50" in said) is ratios
    assert ("No ratios: other programs ran" in said) is not ratios


def test_the_page_of_the_gpu_is_what_was_measured(scripts):
    """Nobody types a figure into it."""
    import gpu_page

    measured = ROOT / "docs/gpu.json"
    found = json.loads(measured.read_text()) if measured.exists() else None
    assert (ROOT / "docs/gpu.md").read_text() == gpu_page.page(found)
    assert found is None or ("gpu" in found["machine"] and not found["quick"])


def test_what_failed_and_what_was_not_reached_is_said(scripts):
    import gpu_page

    found = {"machine": MACHINE, "quick": False, "minutes": 8.0, "date": "2026-01-01"}
    row = {"network": "rrdb", "precision": "fp32", "engine": "torch", "tile": 512}
    rows = [row | {"mpix_per_s": 1.234, "peak_gb": 2.0}, row | {"failed": "out of memory"}]
    found["upscaling"] = {"rows": rows, "size": "9x9", "rounds": 3, "tf32": True}
    found["training"] = {"failed": "ValueError: no"}
    page = gpu_page.page(found)
    assert "| rrdb | fp32 | torch | 512 | 1.23 |  | 2 |" in page
    assert "| rrdb | fp32 | torch | 512 | out of memory |" in page
    assert "Not measured: ValueError: no" in page
    assert page.count("Not measured: the time was up.") == 2


@pytest.mark.heavy
def test_without_a_gpu_the_command_says_so(tmp_path):
    done = carry_out("gpu.py", "--out", tmp_path)
    import torch

    if not torch.cuda.is_available():
        assert done.returncode == 2
        assert "torch finds no GPU here" in done.stderr
        assert not list(tmp_path.iterdir())


@pytest.mark.heavy
def test_a_dry_run_of_the_gpu_command(tmp_path):
    done = carry_out("gpu.py", "--quick", "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert {row["precision"] for row in found["upscaling"]["rows"]} == {"fp32", "auto"}
    assert all(row["mpix_per_s"] > 0 for row in found["upscaling"]["rows"])
    assert all(row["ratio"] > 0 for row in found["training"]["rows"])
    assert found["degradation"]["figures"]["realesrgan_over_reference"] > 0
    assert found["known_truth"]["missing"] == []
    page = (tmp_path / "gpu.md").read_text()
    assert "A dry run" in page
    assert "Not measured" not in page


@pytest.mark.slow  # the dry run of the GPU command carries it out, too
def test_a_dry_run_of_the_training_benchmark(tmp_path):
    done = carry_out("training.py", "--quick", "--json", tmp_path / "it.json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "it.json").read_text())["training"]
    assert set(found) == {"supervised + critic", "wild", "finish"}
    assert all(row["ours_ms"] > 0 and row["bare_ms"] > 0 for row in found.values())


def test_a_budget_curve_by_hand(scripts, tmp_path):
    import budget
    from known_truth_rows import Setting

    setting = Setting(tmp_path, (), (), (), 1.0, 1.0)
    results = tmp_path / "results"
    results.mkdir()

    def write(name, psnr, **facts):
        images = [{"image": "1", "psnr": psnr - 1, "ssim": 0.5}]
        images += [{"image": "2", "psnr": psnr + 1, "ssim": 0.5}]
        (results / f"a-{name}.json").write_text(json.dumps({"images": images, **facts}))

    assert budget.curves(setting, results, "a") == {}
    write("start", 20.0)
    write("oracle-10s", 22.0, iterations=5, seconds=11.0)
    write("oracle-60s", 24.0, iterations=50, seconds=61.0, planned=59.0)
    write("wild-10s", 21.0, iterations=3, seconds=30.0, planned=12.0)
    write("wild-10s-seed1", 22.0, iterations=3, seconds=30.0, planned=12.0)
    found = budget.curves(setting, results, "a")
    assert [(p["seconds"], p["gap"]) for p in found["wild"]] == [(12.0, 0.25)]
    assert [(p["seconds"], p["gap"]) for p in found["oracle"]] == [(11.0, 0.5), (59.0, 1.0)]
    lines = list(budget.table(found))
    assert lines[2] == "| wild | 21.00 dB, 25% (12 s, 3) |  |"
    other = budget.curves(replace(setting, seed=1), results, "a")
    assert [(p["psnr"], "gap" in p) for p in other["wild"]] == [(22.0, False)], "no oracle yet"
    budget.plot(found, tmp_path / "it.png")
    assert (tmp_path / "it.png").stat().st_size > 1000


@pytest.mark.heavy
def test_the_archive_script_runs(tmp_path):
    done = carry_out("archive.py", "--quick")
    assert done.returncode == 0, done.stderr
    assert "| now | 300 |" in done.stdout


@pytest.mark.heavy
def test_what_is_measured_of_a_camera_is_printed_beside_the_truth():
    done = carry_out("measured_camera.py", "--quick")
    assert done.returncode == 0, done.stderr
    assert "| a | " in done.stdout
    assert " / 2.40, 1.40 |" in done.stdout


@pytest.mark.heavy
def test_a_folder_of_one_clean_photo_is_given_to_bicubic():
    done = carry_out("few_photos.py", "--quick")
    assert done.returncode == 0, done.stderr
    assert "| bicubic x2 | 1 | 2 | " in done.stdout
    assert " | 77% to 77% |" in done.stdout  # all but what few photos leave to a blur


def fair_result(kept, name, psnr, **facts):
    images = [{"image": "1", "psnr": psnr - 1, "ssim": 0.5}]
    images += [{"image": "2", "psnr": psnr + 1, "ssim": 0.5}]
    (kept / f"a-{name}.json").write_text(json.dumps({"images": images, **facts}))


FAIR_JOBS = [
    ("a", "wild", 15.0, 2),
    ("b", "bicubic-trained", 15.0, 0),
    ("canon", "oracle", 15.0, 0),
]


def test_a_fair_table_by_hand(scripts, tmp_path, monkeypatch):
    import fair
    import fair_table
    import kept
    from known_truth_rows import Setting

    setting = Setting(tmp_path, (), (), (), 1.0, 1.0)
    spent = {"iterations": 90, "planned": 900.0, "settled": True, "moved": "upscale/pixel 1%"}
    fair_result(tmp_path, "bicubic-0min", 21.0)
    fair_result(tmp_path, "bicubic-trained-15min", 22.0, **spent)
    fair_result(tmp_path, "oracle-15min", 24.0, **spent)
    fair_result(tmp_path, "wild-15min", 23.5, noise=1.1, lr_psnr=40.0, **spent)
    fair_result(tmp_path, "wild-15min-seed2", 23.7, **spent)
    fair_result(
        tmp_path, "dsgan-45min", 20.5, **spent | {"settled": False, "moved": "judge/real 9%"}
    )
    found = fair.collected(tmp_path, "a", fair.MINUTES)
    assert kept.short({"noise": 1.123456, "images": [{"psnr": 2.00004}], "seed": 1}) == {
        "noise": 1.1235,
        "images": [{"psnr": 2.0}],
        "seed": 1,
    }
    kept.check_photos(tmp_path / "a-oracle-15min.json", ["1", "2", "3"])
    with pytest.raises(SystemExit, match="is of other photos: choose another folder with --kept"):
        kept.check_photos(tmp_path / "a-oracle-15min.json", ["1", "3"])
    runs = [fair.Job(*job).run(setting).name for job in FAIR_JOBS]
    assert runs == ["a-wild-15min-seed2", "x4-bicubic-trained-15min", "canon-odd-15min"]
    lines = {line.split(" | ")[0].strip("| "): line for line in fair_table.table(found)}
    assert (
        "| 23.60 ± 0.14 | 0.5000 | 80% | 1.10 | 40.0 | 90 | 15.0 | upscale/pixel 1% |"
        in lines["wild"]
    )
    assert "| 20.50 | 0.5000 | -75% |" in lines["dsgan"]
    assert "judge/real 9%, **not settled**" in lines["dsgan"]
    (said,) = fair_table.below("a", found)
    assert said == "- `dsgan` is 0.50 dB below bicubic: nobody has looked why (--curves)."
    monkeypatch.setitem(fair_table.WHY, "a-dsgan", "its noise never came.")
    assert list(fair_table.below("a", found)) == [
        "- `dsgan` is 0.50 dB below bicubic: its noise never came."
    ]


def test_a_loss_has_settled_where_its_last_quarter_is_that_before(scripts, tmp_path):
    import fair_rows

    assert fair_rows.change([1.0] * 15) is None, "too few points of a quarter"
    falling = [1.0, 0.9, 0.8, 0.7] * 4 + [0.5, 0.49, 0.51, 0.5] * 4 + [0.4, 0.39, 0.41, 0.4] * 8
    assert fair_rows.change(falling) == 0
    assert fair_rows.change(falling[:-16] + [0.3, 0.31, 0.29, 0.3] * 4) == pytest.approx(0.25)
    assert fair_rows.change([-1.0, 1.0] * 40) == 0, "a game's loss around 0"

    update = {"trains": ["upscale"], "terms": {"pixel": {"loss": "l1"}, "kl": {"loss": "kl"}}}
    config = {"method": {"updates": {"upscale": update, "off": None}}}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    rows = [
        f"{20 * i},{name},{v}" for i, v in enumerate(falling) for name in ("upscale/pixel", "x/y")
    ]
    rows += [f"{20 * i},upscale/kl,{2.0 - i / 100}" for i in range(64)]
    (tmp_path / "metrics.csv").write_text("\n".join(["iteration,name,value", *rows]) + "\n")
    assert set(fair_rows.curves(tmp_path)) == {"upscale/pixel", "upscale/kl"}
    settled, moved = fair_rows.verdict(tmp_path)
    assert not settled
    assert moved.startswith("upscale/kl")


@pytest.mark.heavy
def test_each_fair_row_is_a_training_that_composes(scripts, tmp_path):
    import fair_rows
    from known_truth_rows import ANYWHERE, BICUBIC, METHODS, Setting, overrides

    from wildsr.config.compose import configure
    from wildsr.training.session import explained

    assert set(fair_rows.MINUTES) - {BICUBIC, "oracle", *ANYWHERE} <= set(METHODS)
    setting = Setting(tmp_path, (), (), (), 60.0, 1.0)
    for side in ("hr", "a/lr"):
        (tmp_path / "photos" / side).mkdir(parents=True)
    for row, minutes in fair_rows.MINUTES.items():
        if row != BICUBIC:
            own = fair_rows.of_row(setting, row, minutes, 1)
            assert own.seconds >= 900
            config = configure("train", overrides(own, "a", row))
            if row in fair_rows.MORE:
                table = explained(config)
                assert ("| identity |" in table) is (row != "lud_vae")
                assert "prepare" not in table


def test_a_row_that_was_stopped_goes_on(scripts, tmp_path, monkeypatch):
    import known_truth_rows
    from known_truth_rows import Setting

    from wildsr.cli import main

    setting, typed = Setting(tmp_path, (), (), (), 60.0, 1.0), []
    folder = tmp_path / "runs" / "it"

    def stopped(verb, overrides):
        typed.append(overrides)
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "checkpoints" / "200.ckpt").touch()
        return 143

    def finished(verb, overrides):
        typed.append(overrides)
        return 0

    monkeypatch.setattr(known_truth_rows, "cost", lambda typed, trial: (0.5, 10.0))
    monkeypatch.setattr(main, "start", stopped)
    with pytest.raises(RuntimeError, match="it ended with 143: nothing was said"):
        known_truth_rows.train(setting, "it", ["method=wild"], 60.0)
    monkeypatch.setattr(main, "start", finished)
    made = known_truth_rows.train(setting, "it", ["method=wild"], 60.0)
    assert "iterations=100" in typed[0]
    assert typed[1] == [f"resume={folder}", "trust=true"]
    assert made["iterations"] == 100
    assert made["planned"] == 60.0
    assert known_truth_rows.train(setting, "it", ["method=wild"], 60.0) == made
    assert len(typed) == 2, "a finished one is not trained again"


def test_figures_of_seeds_are_averaged(tmp_path):
    seeds = []
    for number, closed in enumerate((0.8, 1.0)):
        figures = {"a_wild_gap_closed": closed, "a_wild_psnr": 24.5, "a_bicubic-trained_psnr": 24.0}
        seeds.append(tmp_path / f"{number}.json")
        seeds[-1].write_text(json.dumps(figures))
    command = [sys.executable, str(SCRIPTS / "over_seeds.py"), *map(str, seeds)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "90% (80% to 100%) | +0.50 (+0.50 to +0.50) |" in said
    assert "| mean, Gaussian blur, noise and JPEG | 90% | |" in said


def test_a_figure_that_a_row_has_not_leaves_its_cell_empty(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from finish import table

    whole = {"psnr": 30.0, "ringing": 1.0}
    lines = list(table({"ground truth": [{"ringing": 0.5}], "wild L1": [whole, whole]}))
    assert lines[2:] == ["| ground truth |  | 0.50 |", "| wild L1 | 30.00 | 1.00 |"]
