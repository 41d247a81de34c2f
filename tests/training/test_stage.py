"""Stages: a function of the iteration, through the objective, the loop and a resume."""

import copy
import itertools
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given as property_of
from hypothesis import strategies as st

from wildsr.config.compose import configure
from wildsr.error import UserError
from wildsr.training.build import build_training
from wildsr.training.session import explained
from wildsr.training.settling import Settling
from wildsr.training.stage import Stages

TWO = ["method=adversarial_camera", "++method.stages={learn: 2, use: 1}", "method.ema=0.9"]
TWO += [f"method.updates.{u}.stages={s}" for u, s in (("degrade", "learn"), ("judge", "[learn]"))]
TWO += ["method.updates.upscale.stages=[use]"]


def test_shares_divide_the_iterations():
    stages = Stages({"learn": 2, "use": 1}, 6)
    assert stages.starts == {"learn": 0, "use": 4}
    assert [stages.at(i) for i in range(7)] == ["learn"] * 4 + ["use"] * 3
    assert Stages({}, 6).at(3) is None


@property_of(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=6), st.integers(6, 1000))
def test_every_stage_has_an_iteration_and_they_follow_one_another(shares, iterations):
    stages = Stages({f"s{i}": share for i, share in enumerate(shares)}, iterations)
    seen = [stages.at(i) for i in range(iterations)]
    assert list(dict.fromkeys(seen)) == [f"s{i}" for i in range(len(shares))]
    assert seen == sorted(seen)


def test_a_stage_that_ends_early_leaves_its_iterations_to_the_others():
    stages = Stages({"learn": 2, "use": 1, "finish": 1}, 100)
    assert stages.starts == {"learn": 0, "use": 50, "finish": 75}
    stages.end(19)
    assert stages.starts == {"learn": 0, "use": 20, "finish": 60}
    assert (stages.at(19), stages.at(20)) == ("learn", "use")
    stages.end(98)  # of the last stage nothing follows
    assert stages.starts == {"learn": 0, "use": 20, "finish": 60}


def test_shares_divide_the_seconds_and_what_is_left_of_them():
    stages = Stages({"learn": 1, "use": 1, "finish": 1}, 1000, 30)
    assert not stages.out_of_time(9, 9.9)
    assert stages.out_of_time(9, 10)
    stages.end(9)
    assert stages.begin(10, 4.0), "it came to rest before its time"
    assert not stages.begin(11, 5.0)
    assert not stages.out_of_time(20, 16.9), "half of the 26 seconds that are left"
    assert stages.out_of_time(20, 17)
    stages.end(20)
    assert stages.at(21) == "finish"
    assert not Stages({}, 10, 30).out_of_time(3, 31)


def test_a_run_limited_by_time_reaches_its_last_stage(fit, plain_batches, monkeypatch):
    """Ten thousand iterations are planned; the stages follow the clock all the same."""
    ticks = itertools.count()  # of a clock by which each iteration takes a hundredth of a second
    clock = SimpleNamespace(perf_counter=lambda: next(ticks) / 100)
    monkeypatch.setattr("wildsr.training.module.time", clock)
    training = fit([*TWO, "iterations=10000", "seconds=0.4"], plain_batches(40))
    assert training.stages.starts["use"] == 27, "two thirds of 0.4 s are over"
    assert training.stages.at(training.iteration - 1) == "use"
    assert training.stages.began == pytest.approx(0.27)


@pytest.mark.heavy
def test_a_stage_ends_when_its_network_has_come_to_rest(fit, plain_batches, monkeypatch):
    still = [*TWO, "method.stages.learn={share: 1000, until_settled: degrade}", "iterations=5000"]
    still += ["method.optimizers.degrade.lr=1e-9"]
    monkeypatch.setattr("wildsr.training.module.SETTLING", 10)
    training = fit(still, plain_batches(30))
    assert training.stages.starts["use"] == 16, "four readings, five iterations apart"
    assert training.settling.state() == {"readings": []}, "the next stage starts anew"
    moving = [*still, "method.optimizers.degrade.lr=1"]
    assert fit(moving, plain_batches(30)).stages.starts["use"] > 30


def test_what_settles():
    rest, drift = Settling(20), Settling(20)
    tremble = [0.0, 3.0, -3.0, 0.0] * 5
    verdicts = [
        (rest.see(torch.tensor([7 + at]), 5 * i), drift.see(torch.tensor([7 + at + i]), 5 * i))
        for i, at in enumerate(tremble)
    ]
    assert [v[0] for v in verdicts[:7]] == [False] * 7, "both windows are to be full"
    assert any(v[0] for v in verdicts), "trembling about a place is rest"
    assert not any(v[1] for v in verdicts), "a drift of one unit a reading is none"
    again = Settling(20)
    again.restore(rest.state())
    assert again.see(torch.tensor([7.0]), 100) == rest.see(torch.tensor([7.0]), 100)
    assert not again.see(torch.tensor([700.0]), 105)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["++method.stages.use=0"], r"`method.stages.use` must be a positive share.* 0\."),
        (["++method.stages.use=much"], r"`method.stages.use` must be .*'much'"),
        (["iterations=1"], r"`iterations` must be at least 2, one for each of .* got 1"),
        (["++method.stages.more=1"], r"Stage `more` of `method.stages` has no update"),
        (["method.updates.judge.stages=[lern]"], r"judge`.stages must .*'lern'.* 'learn'\?"),
        (
            ["++method.stages.use={share: 1, until: x}"],
            r"`method.stages.use` must be .*\['until'\]",
        ),
        (
            ["++method.stages.learn={share: 1, until_settled: degrad}"],
            r"learn.until_settled` must be one of .*'degrad'.* 'degrade'\?",
        ),
        (
            ["++method.stages.learn={share: 1, until_settled: upscale}"],
            r"must be a network with `settling`, but `upscale` is Compact",
        ),
        (["++method.stages=3"], r"`method.stages` must be a mapping of .*, but got 3"),
    ],
)
def test_what_cannot_be_meant(overrides, message, small):
    with pytest.raises(UserError, match=message):
        build_training(configure("train", [*TWO, *small, *overrides]))


def test_the_table_has_a_column_for_stages(small):
    table = explained(configure("train", [*TWO, *small])).splitlines()
    assert table[0].startswith("| stage | update  |")
    assert [line.split("|")[1:3] for line in table[2:]] == [
        [" learn ", " degrade "],
        [" learn ", " judge   "],
        [" use   ", " upscale "],
    ]
    assert "draws, fake_lr, sr_levels, sr" in table[-1], "nothing is kept from another iteration"


def test_each_stage_trains_its_networks_alone(fit, plain_batches):
    batches = plain_batches(6)
    start, after = {}, {}

    def keep(training):
        start.update(copy.deepcopy(training.networks.state_dict()))

    whole = fit([*TWO, "iterations=6"], batches, keep)
    after.update(whole.networks.state_dict())
    learned = fit([*TWO, "iterations=6"], batches[:4])
    assert learned.stages.at(learned.iteration - 1) == "learn"
    for key, value in learned.networks.state_dict().items():
        used = key.startswith("upscale.")
        assert torch.equal(value, start[key]) == used or value.ndim == 0, key
        if not used:
            assert torch.equal(value, after[key]), f"{key} moved in the second stage"
    assert learned.networks["critic"].training
    assert not learned.networks["upscale"].training
    assert not whole.networks["critic"].training
    ema = learned.ema.networks["upscale"].state_dict()
    for key, value in ema.items():
        assert torch.equal(value, start[f"upscale.{key}"]), "the average waits for its network"


def test_schedules_and_averages_count_from_the_stage_of_their_network(fit, plain_batches):
    schedule = (
        "++method.schedules.upscale={_target_: wildsr.training.schedule.MultiStep, milestones: [1]}"
    )
    training = fit([*TWO, "iterations=6", schedule], plain_batches(6))
    assert [training._age(n) for n in ("degrade", "critic", "upscale")] == [6, 6, 2]
    optimizer = training.optimizers()[training.optimizer_names.index("upscale")]
    (group,) = optimizer.param_groups
    assert group["lr"] == 0.5 * group["initial_lr"], "halved once, at its second iteration"


def test_a_run_goes_on_in_its_stage_and_other_iterations_are_divided_anew(small, tiny):
    first = build_training(configure("train", [*tiny, *TWO, "iterations=6"]))
    first.stages.restore({"starts": {"learn": 0, "use": 3}, "began": 2.0}, 3)
    again = build_training(configure("train", [*tiny, *TWO, "iterations=60"]))
    assert again.stages.starts == {"learn": 0, "use": 40}
    again.stages.restore(first.stages.state(), 2)
    assert again.stages.starts == {"learn": 0, "use": 40}, "it was still learning"
    again.stages.restore(first.stages.state(), 3)
    assert again.stages.began == 2
    assert again.stages.at(4) == again.stages.at(59) == "use", "the last stage is prolonged"
    again.stages.restore({"starts": {"learn": 0, "use": 30}, "began": 0.0}, 20)
    assert again.stages.starts["use"] == 30, "an earlier checkpoint does not say what was planned"
    with pytest.raises(UserError, match=r"checkpoint's stages are \['a'\], but .*'learn', 'use'"):
        again.stages.restore({"starts": {"a": 0}, "began": 0.0}, 0)


def test_fewer_iterations_on_resuming_leave_no_stage_out():
    long = Stages({"learn": 2, "use": 1, "finish": 1}, 1000)
    short = Stages({"learn": 2, "use": 1, "finish": 1}, 100)
    short.restore(long.state(), 40)
    assert short.starts == {"learn": 0, "use": 50, "finish": 75}
    short.restore(long.state(), 70)
    assert short.starts == {"learn": 0, "use": 70, "finish": 75}
    short.restore(long.state(), 98)
    assert short.starts == {"learn": 0, "use": 98, "finish": 99}
    short.restore({"starts": {"learn": 0, "use": 500, "finish": 750}, "began": 0.0}, 40)
    assert short.starts["finish"] == 75, "an earlier checkpoint"
    with pytest.raises(
        UserError, match=r"`iterations=100`: .* had 99, .* \['use', 'finish'\] .* takes 101"
    ):
        short.restore(long.state(), 99)
    short.restore(long.state(), 900)  # all have begun: it has come to its end
