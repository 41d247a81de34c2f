"""The finish: a second upscaler beside the faithful one, guarded, in one run."""

import json
import math
import shutil

import pytest
import torch
from safetensors.torch import load_file

import wildsr
from wildsr.config import finish as names
from wildsr.config.compose import configure
from wildsr.method import finishing
from wildsr.run.checkpoint import newest_checkpoint
from wildsr.training.build import build_training
from wildsr.training.guard import Guard, Limits, limits_of

SMALL = ["finish=gan", "finish.networks.critic_finish.features=4", "finish.guard.every=2"]
RUN = [*SMALL, "method=supervised", "finish.share=0.5", "iterations=6"]


def test_the_names_are_those_of_the_method():
    for name in ("FAITHFUL", "FINISHED", "STAGE"):
        assert getattr(names, name) == getattr(finishing, name)


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny, photos):
    """A run with a finish and the same without, of the same faithful iterations."""
    from wildsr.cli import main

    root = tmp_path_factory.mktemp("finish")
    common = [*tiny, f"runs_dir={root}", "metric.metrics=[psnr]"]
    assert main.start("train", [*common, *RUN, "name=with"]) == 0
    plain = ["method=supervised", "finish=none", "iterations=3", "name=without"]
    assert main.start("train", [*common, *plain]) == 0
    return root


def weights(folder):
    return {path.name: load_file(path) for path in sorted((folder / "weights").glob("*.safe*"))}


def test_the_faithful_upscaler_is_that_of_a_run_without(made):
    both, alone = weights(made / "with"), weights(made / "without")
    assert list(both) == ["4x_with.safetensors", "4x_with_finished.safetensors"]
    faithful, finished = both.values()
    (plain,) = alone.values()
    assert all(torch.equal(faithful[key], plain[key]) for key in plain)
    assert any(not torch.equal(faithful[key], finished[key]) for key in plain)
    state = newest_checkpoint(made / "with")
    for part in ("networks", "ema"):
        assert {"upscale", "finished"} <= state[part].keys()


def test_rows_plot_and_default_strength_are_written(made):
    results = json.loads((made / "with" / "results.json").read_text())
    record = json.loads((made / "with" / "finish.json").read_text())
    rows = [row["name"] for row in results["rows"]]
    assert rows[:3] == ["bicubic", "supervised", "supervised finished"]
    assert results["protocol"]["finish"] == record
    assert list(record["along"]) == ["bicubic", "0", "0.25", "0.5", "0.75", "1"]
    assert all(math.isfinite(row["st_lpips"]) for row in record["along"].values())
    assert record["strength"] in (0, 0.25, 0.5, 0.75, 1)
    assert (made / "with" / "strength.png").stat().st_size > 5000


def test_strength_goes_from_the_faithful_to_the_finished(made, photos, tmp_path):
    image = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(0))

    def sr(**options):
        return wildsr.load_upscaler(**options).upscale(image)

    run, folder = made / "with", made / "with" / "weights"
    ends = [sr(weights=folder / f"4x_with{suffix}.safetensors") for suffix in ("", "_finished")]
    for strength, end in zip((0, 1), ends, strict=True):
        torch.testing.assert_close(sr(run=run, strength=strength), end)
    half = sr(run=run, strength=0.5)
    assert not torch.equal(half, ends[0])
    assert not torch.equal(half, ends[1])
    torch.testing.assert_close(sr(weights=folder / "4x_with.safetensors", strength=0.5), half)
    own = shutil.copytree(run, tmp_path / run.name)
    (own / "finish.json").write_text(json.dumps({"strength": 0.5}))
    torch.testing.assert_close(sr(run=own), half)


def test_an_export_says_its_strength(made, tmp_path, carry_out):
    run = shutil.copytree(made / "with", tmp_path / "rose")
    (run / "finish.json").write_text(json.dumps({"strength": 1}))
    results = json.loads((run / "results.json").read_text())
    if not any(row["name"] == "supervised strength 0.25" for row in results["rows"]):
        results["rows"].append({**results["rows"][-1], "name": "supervised strength 0.25"})
        (run / "results.json").write_text(json.dumps(results))
    cards = {}
    for strength, name in (
        (None, "4x_rose"),
        (1, "4x_rose"),
        (0, "4x_rose_strength0"),
        (0.25, "4x_rose_strength0.25"),
        (0.3, "4x_rose_strength0.3"),
    ):
        asked = [] if strength is None else [f"strength={strength}"]
        for fmt in ("safetensors", "torchscript"):
            assert carry_out("export", [f"run={run}", f"format={fmt}", *asked]) == 0
        cards[strength] = (run / "export" / f"{name}.md").read_text()
        said = 1 if strength is None else strength
        assert f"- **Strength:** {said:g}, of 0" in cards[strength]
        assert (
            f"| {name}.safetensors | safetensors, single precision, strength {said:g}:"
            in (cards[strength])
        )
        assert cards[strength].count(f", strength {said:g}: ") == 2
    assert cards[1].count("(this card's)") == 1
    assert "| **supervised finished** (this card's) |" in cards[1]
    assert "| **supervised** (this card's) |" in cards[0]
    assert "| **supervised strength 0.25** (this card's) |" in cards[0.25]
    assert "(this card's)" not in cards[0.3]
    assert "Strength 0.3 itself was not measured." in cards[0.3]
    assert carry_out("export", [f"run={run}", "strength=0", "name=it"]) == 0
    assert carry_out("export", [f"run={run}", "strength=1", "name=it", "format=pth"]) == 0
    card = (run / "export" / "4x_it.md").read_text()
    assert "strength 0: " in card
    assert "strength 1: " in card
    (faithful,) = (run / "weights").glob("4x_with.safetensors")
    assert carry_out("export", [f"weights={faithful}", "strength=0.5", f"output={tmp_path}"]) == 0
    assert "strength 0.5: " in (tmp_path / "4x_with_strength0.5.md").read_text()


def test_the_card_of_a_run_says_which_file_is_which(made):
    card = (made / "with" / "weights" / "4x_with.md").read_text()
    assert "| 4x_with.safetensors | safetensors, single precision, strength 0 |" in card
    assert "| 4x_with_finished.safetensors | safetensors, single precision, strength 1 |" in card
    assert "strength" not in (made / "without" / "weights" / "4x_without.md").read_text()


@pytest.mark.parametrize(
    ("run", "strength", "message"),
    [
        ("with", 1.5, "`strength` must be a number from 0"),
        ("with", True, "`strength` must be a number from 0"),
        ("without", 0.5, "`strength` is for runs with a finish"),
    ],
)
def test_a_strength_that_cannot_be_is_refused(made, run, strength, message):
    with pytest.raises(wildsr.UserError, match=message):
        wildsr.load_upscaler(run=made / run, strength=strength)


def test_a_file_without_its_finished_one_is_refused(made):
    file = made / "without" / "weights" / "4x_without.safetensors"
    with pytest.raises(wildsr.UserError, match=r"there is no .*4x_without_finished"):
        wildsr.load_upscaler(weights=file, strength=0.5)


def test_evaluate_shows_both_or_what_was_asked_for(made, photos, carry_out, tmp_path):
    folders = [f"run={made / 'with'}", f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}"]
    quick = ["metric.metrics=[psnr]", "page_mb=0"]
    for asked, expected in (
        ([], ["supervised", "supervised finished"]),
        (["strength=[0.25,1]"], ["supervised strength 0.25", "supervised finished"]),
    ):
        output = tmp_path / str(len(asked))
        assert carry_out("evaluate", [*folders, *quick, *asked, f"output={output}"]) == 0
        rows = json.loads((output / "results.json").read_text())["rows"]
        found = [row["name"] for row in rows if row["name"] != "bicubic"]
        assert [name for name in found if name in expected] == expected


@pytest.mark.heavy
def test_it_resumes_bit_for_bit(made, tiny, tmp_path, carry_out):
    common = [*tiny, f"runs_dir={tmp_path}", *RUN, "metric.metrics=[psnr]", "name=again"]
    common = [o for o in common if not o.startswith("checkpoint_every")]
    assert carry_out("train", [*common, "checkpoint_every=4", "keep=9"]) == 0
    folder = tmp_path / "again"
    (folder / "checkpoints" / "iteration-00000006.ckpt").unlink()
    assert carry_out("train", [f"resume={folder}"]) == 0
    for ours, theirs in zip(weights(folder).values(), weights(made / "with").values(), strict=True):
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.heavy
def test_a_finish_keeps_a_share_of_the_weights_it_started_from(made, tiny, tmp_path, carry_out):
    """Also when it is killed and resumed: what it moves towards is read again."""
    file = made / "without" / "weights" / "4x_without.safetensors"
    common = [*tiny, f"runs_dir={tmp_path}", *RUN, "metric.metrics=[psnr]", f"weights={file}"]
    common += ["method.ema=0", "~finish.updates.sharpen.terms.artifacts", "checkpoint_every=4"]
    assert carry_out("train", [*common, "name=free"]) == 0
    assert carry_out("train", [*common, "finish.anchor=0.75", "name=near", "keep=9"]) == 0
    start, free = load_file(file), weights(tmp_path / "free")["4x_free_finished.safetensors"]
    near = weights(tmp_path / "near")["4x_near_finished.safetensors"]
    for key, value in near.items():
        torch.testing.assert_close(value, torch.lerp(free[key], start[key], 0.75))
    (tmp_path / "near" / "checkpoints" / "iteration-00000006.ckpt").unlink()
    assert carry_out("train", [f"resume={tmp_path / 'near'}"]) == 0
    again = weights(tmp_path / "near")["4x_near_finished.safetensors"]
    assert all(torch.equal(again[key], near[key]) for key in near)


EXPLOSION = ["finish.optimizers.finished.lr=1000", "finish.guard.every=1", "finish.guard.most=2"]


@pytest.mark.heavy
@pytest.mark.parametrize("poison", [EXPLOSION, [*EXPLOSION, "finish.guard.every=2"]])
def test_an_explosion_is_taken_back_and_said(fit, plain_batches, poison):
    said = []

    def listen(training):
        training.say = said.append

    overrides = ["method=supervised", *SMALL, "finish.share=0.8", "iterations=20", *poison]
    training = fit(overrides, plain_batches(20), listen)
    assert training.iteration == 20
    assert training.guard.back
    assert len(said) == len(training.guard.back)
    assert "the finish went wrong" in said[0]
    assert training.guard.ended == ("the finish ends" in said[-1])
    faithful = dict(training.ema.networks["upscale"].state_dict())
    for key, value in training.ema.networks["finished"].state_dict().items():
        assert (value - faithful[key]).abs().max() < 1
    assert all(torch.isfinite(p).all() for p in training.networks.parameters())


def test_a_nan_in_the_finish_is_taken_back_where_it_would_stop_any_other_stage(
    fit, plain_batches, monkeypatch
):
    said = []

    def poison(training):
        training.say = said.append
        term = next(t for t in training.objective.terms if t.name == "sharpen/pixel")
        plain, calls = term.loss.forward, []

        def forward(**operands):
            calls.append(0)
            return plain(**operands) * (float("nan") if len(calls) == 2 else 1)

        term.loss.forward = forward

    overrides = ["method=supervised", *SMALL, "finish.share=0.5", "iterations=8"]
    training = fit(overrides, plain_batches(8), poison)
    assert [one["iteration"] for one in training.guard.back] == [5]
    assert "`sharpen/pixel` became NaN" in said[0]
    assert training.guard.factor == 0.5


def looked(guard, change):
    torch.manual_seed(0)
    hr = torch.nn.functional.interpolate(torch.rand(2, 3, 16, 16), scale_factor=4.0, mode="bicubic")
    hr = hr.clamp(0, 1)
    lr = torch.nn.functional.avg_pool2d(hr, 4)
    critic = torch.nn.Conv2d(3, 1, 1)
    return guard.look(change(hr), hr, hr, lr, critic, hr)


def grid(hr):
    made = hr.clone()
    made[..., ::4, ::4] += 0.3
    return made


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda hr: hr * float("nan"), "NaN"),
        (lambda hr: hr + 0.2, "brightness"),
        (lambda hr: hr.mean((2, 3), keepdim=True).expand_as(hr), "times the detail of the faith"),
        (lambda hr: hr + 0.3 * torch.randn_like(hr), "times the detail of sharp"),
        (lambda hr: hr.roll(1, 1), "colour"),
        (grid, "checkerboard"),
    ],
)
def test_each_meter_notices_its_fault(change, word):
    assert word in looked(Guard(Limits()), change)


def test_a_sound_batch_passes_and_a_critic_that_has_won_does_not():
    assert looked(Guard(Limits()), lambda hr: hr) is None
    guard = Guard(Limits(accuracy=0.0))
    assert [looked(guard, lambda hr: hr) is None for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"evry": 1}, "did you mean|every"),
        ({"every": 0}, "`finish.guard.every` must be an integer of at least 1"),
        ({"detail": [1]}, "`finish.guard.detail` must be two numbers"),
        ({"colour": "much"}, "`finish.guard.colour` must be a number"),
    ],
)
def test_limits_that_cannot_be_are_refused(spec, message):
    with pytest.raises(wildsr.UserError, match=message):
        limits_of(spec)


def test_a_run_too_short_for_a_finish_has_none():
    short = ["data=folders", "data.lr=a", "data.hr=b", "iterations=2"]
    assert "finish" not in configure("train", short).method
    assert "finish" in configure("train", [*short, "iterations=5"]).method


def test_what_a_finish_cannot_be_on_is_refused(small):
    folders = ["data=folders", "data.lr=a", "data.hr=b", *small]
    with pytest.raises(wildsr.UserError, match="finish=none"):
        build_training(configure("train", [*folders, "method=cincgan", "finish=gan"]))
    with pytest.raises(wildsr.UserError, match=r"`finish.share` must be a number between 0 and 1"):
        configure("train", [*folders, "finish.share=1"])
    with pytest.raises(wildsr.UserError, match=r"`finish.anchor` must be a number from 0 to below"):
        configure("train", [*folders, "finish.anchor=1"])
    with pytest.raises(wildsr.UserError, match=r"`finish.anchor` is 0.5.*: give `weights`"):
        build_training(configure("train", [*folders, "finish=tuned", "iterations=5"]))
