"""The card of a run: which photos it looks at, where it is written, what stands in its way."""

import json
from types import SimpleNamespace

import pytest
import torch

from wildsr.degradation.bicubic import Bicubic
from wildsr.report.card.of_run import card_of, photos_of

pytestmark = pytest.mark.heavy


class Store:
    """Packed photos, all of one colour, the number of each."""

    def __init__(self, count, size, first):
        self.count, self.size, self.first = count, size, first

    def __len__(self):
        return self.count

    def image(self, index):
        return torch.full((*self.size, 3), self.first + index, dtype=torch.uint8).numpy()


def data(pairs, val_lr="val_lr", val_hr="val_hr", training=40):
    """A set-up data module: LR of 40x36, x2; validation photos are numbered from 100."""
    photos = []
    for number in range(100, 100 + pairs):
        lr = torch.full((3, 40, 36), number, dtype=torch.uint8)
        hr = torch.full((3, 80, 72), number, dtype=torch.uint8)
        photos.append({"lr": lr, "hr": hr} if val_hr else {"lr": lr})
    stores = {"lr_store": Store(training, (40, 36), 0), "hr_store": Store(training, (80, 72), 50)}
    return SimpleNamespace(photos=photos, val_lr=val_lr, val_hr=val_hr, scale=2, **stores)


def numbers(photos):
    return [int(photo[0, 0, 0]) for photo in photos]


def test_no_scene_is_on_both_sides():
    found = photos_of(data(pairs=40), seed=0, most=32)
    assert numbers(found.lr) == list(range(100, 140, 2))
    assert numbers(found.hr) == list(range(101, 140, 2))
    assert found.held_out == (20, 20)


def test_photos_of_the_training_complete_too_few():
    found = photos_of(data(pairs=5), seed=0, most=32)
    assert found.held_out == (3, 2)
    assert numbers(found.lr)[:3] == [100, 102, 104]
    assert [len(found.lr), len(found.hr)] == [16, 16]
    assert all(number < 50 for number in numbers(found.lr)[3:])
    assert all(50 <= number < 100 for number in numbers(found.hr)[2:])
    assert len(set(numbers(found.hr))) == 16


def test_without_truth_all_validation_photos_are_real_lr():
    found = photos_of(data(pairs=20, val_hr=None), seed=0, most=32)
    assert numbers(found.lr) == list(range(100, 120))
    assert found.held_out == (20, 0)
    # Photos of the training that are watched are not held out.
    none = photos_of(data(pairs=8, val_lr=None, val_hr=None, training=6), seed=0, most=32)
    assert none.held_out == (0, 0)
    assert sorted(numbers(none.lr)) == list(range(6))


def test_the_global_generator_is_left_alone():
    state = torch.random.get_rng_state()
    made = card_of(Bicubic(2), data(pairs=10), seed=0, most=4)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert made.protocol["real_held_out"] == made.protocol["fake_held_out"] == 4
    assert made.protocol["seconds"] > 0


def test_a_run_has_a_card_at_its_end_and_when_asked(
    tmp_path, fill, small, carry_out, capsys, monkeypatch
):
    monkeypatch.setattr("wildsr.metric.statistic.two_sample.SHUFFLES", 20)
    sizes = {"lr": (40, 44), "hr": (160, 176)}
    folders = [f"data.{n}={fill(tmp_path / n, 5, size)}" for n, size in sizes.items()]
    overrides = ["data=folders", *folders, *small, "data.patch=8", "data.batch=2", "iterations=1"]
    overrides += ["method=supervised", "metric.metrics=[psnr]", f"runs_dir={tmp_path}", "name=it"]
    assert carry_out("train", overrides) == 0
    run = tmp_path / "it"
    stored = json.loads((run / "report_card.json").read_text())
    assert stored["protocol"]["real_photos"] == stored["protocol"]["fake_photos"] == 5
    assert stored["headline"] in capsys.readouterr().out.replace("\n", " ")
    assert (run / "report_card.png").exists()
    again = ["metric.metrics=[psnr]", f"output={tmp_path / 'out'}"]
    assert carry_out("evaluate", [f"run={run}", "card=true", *again]) == 0
    found = json.loads((tmp_path / "out" / "report_card.json").read_text())
    assert found["entries"] == stored["entries"]
    assert not (tmp_path / "out2").exists()
    assert carry_out("evaluate", [f"run={run}", *again[:1], f"output={tmp_path / 'out2'}"]) == 0
    assert not (tmp_path / "out2" / "report_card.json").exists()


def test_photos_that_are_too_small_cost_the_card_only(finished, tmp_path, carry_out, capsys):
    assert not (finished / "report_card.json").exists()
    overrides = [f"run={finished}", "card=true", "metric.metrics=[psnr]", f"output={tmp_path}"]
    assert carry_out("evaluate", overrides) == 0
    said = capsys.readouterr().out.replace("\n", " ")
    assert (
        "No report card: Argument `real`, real LR, must hold at least one photo of 32x32 pixels"
        in said
    )
    assert (tmp_path / "results.json").exists()


def test_a_card_needs_a_run(refused, photos, tmp_path):
    folders = [f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}", f"output={tmp_path / 'o'}"]
    assert "`card=true` needs one `run`" in refused("evaluate", [*folders, "card=true"])
    assert "`card` must be true or false" in refused("evaluate", [*folders, "card=maybe"])
