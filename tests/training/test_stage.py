"""Stages: a function of the iteration, through the objective, the loop and a resume."""

import copy

import pytest
import torch
from hypothesis import given as property_of
from hypothesis import strategies as st

from wildsr.config.compose import configure
from wildsr.error import UserError
from wildsr.training.build import build_training
from wildsr.training.session import explained
from wildsr.training.stage import Stages

TWO = ["method=wild", "++method.stages={learn: 2, use: 1}", "method.ema=0.9"]
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


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["++method.stages.use=0"], r"`method.stages.use` must be a positive share.* 0\."),
        (["++method.stages.use=much"], r"`method.stages.use` must be .*'much'"),
        (["iterations=1"], r"`iterations` must be at least 2, one for each of .* got 1"),
        (["++method.stages.more=1"], r"Stage `more` of `method.stages` has no update"),
        (["method.updates.judge.stages=[lern]"], r"judge`.stages must .*'lern'.* 'learn'\?"),
        (["seconds=5"], r"`seconds` must be null for a method with stages \(learn, use\).* 5"),
        (["++method.stages=3"], r"`method.stages` must be names with shares, but got 3"),
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


def test_a_run_goes_on_in_its_stage_and_more_iterations_prolong_the_last(small, tiny, tmp_path):
    first = build_training(configure("train", [*tiny, *TWO, "iterations=6"]))
    first.stages.restore({"learn": 0, "use": 4})
    again = build_training(configure("train", [*tiny, *TWO, "iterations=60"]))
    assert again.stages.starts == {"learn": 0, "use": 40}
    again.stages.restore(dict(first.stages.starts))
    assert again.stages.at(4) == again.stages.at(59) == "use"
    with pytest.raises(UserError, match=r"checkpoint's stages are \['a'\], but .*'learn', 'use'"):
        again.stages.restore({"a": 0})
