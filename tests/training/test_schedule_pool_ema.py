"""Rates by the iteration, a history of fakes, averages of weights."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wildsr.error import UserError
from wildsr.training.ema import EMA, Anchor
from wildsr.training.image_pool import ImagePool
from wildsr.training.schedule import (
    Constant,
    Cosine,
    Decline,
    Ending,
    Inverse,
    MultiStep,
    Stairs,
)

# Schedules


@pytest.mark.parametrize("given", [-1, float("nan"), float("inf"), "x", None, True])
def test_factors_are_numbers(given):
    for made, name in (
        (lambda: Cosine(until=60, final=given), "final"),
        (lambda: MultiStep(milestones=[3], gamma=given), "gamma"),
        (lambda: Stairs(until=60, at=[0.5], gamma=given), "gamma"),
    ):
        with pytest.raises(UserError, match=f"`{name}` must be a factor of 0 or more, but got"):
            made()


def test_constant():
    assert [Constant()(i) for i in (0, 1, 10**6)] == [1, 1, 1]
    assert [Constant(warmup=4)(i) for i in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_multi_step():
    schedule = MultiStep([30, 10, 20], gamma=0.1)
    expected = {0: 1, 9: 1, 10: 0.1, 19: 0.1, 20: 0.01, 29: 0.01, 30: 0.001, 99: 0.001}
    assert {i: schedule(i) for i in expected} == pytest.approx(expected)
    assert MultiStep([1])(1) == 0.5


def test_inverse():
    schedule = Inverse(half=100)
    assert [schedule(i) for i in (0, 100, 300, 900)] == pytest.approx([1, 1 / 2, 1 / 4, 1 / 10])


def test_cosine():
    schedule = Cosine(until=60, final=0.2)
    assert [schedule(i) for i in (0, 20, 30, 60, 1000)] == pytest.approx([1, 0.8, 0.6, 0.2, 0.2])
    assert Cosine(until=60)(60) == 0


def test_stairs():
    schedule = Stairs(until=40, at=[0.75, 0.5], gamma=0.1)
    assert [schedule(i) for i in (0, 19, 20, 29, 30, 99)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01]
    )
    with pytest.raises(UserError, match="`at` must be a share from 0 to 1, but got 30"):
        Stairs(until=40, at=[30])


def test_decline():
    schedule = Decline(until=100, hold=0.5)
    expected = [1, 1, 0.5, 0.02, 0, 0]
    assert [schedule(i) for i in (0, 50, 75, 99, 100, 1000)] == pytest.approx(expected)
    assert [Decline(until=4, hold=0)(i) for i in range(5)] == [1, 0.75, 0.5, 0.25, 0]
    assert [Decline(until=4, hold=1)(i) for i in (0, 3, 4)] == [1, 1, 0]
    with pytest.raises(UserError, match="`hold` must be a share from 0 to 1, but got 2"):
        Decline(until=4, hold=2)


# Pool


def numbered(*numbers):
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def numbers(images):
    return [int(image.flatten()[0]) for image in images]


def test_schedules_that_run_out_say_when():
    ending = [Cosine(until=60), Stairs(until=60, at=[0.5]), Decline(until=60)]
    assert [schedule.end() for schedule in ending if isinstance(schedule, Ending)] == [60] * 3
    others = (Constant(), MultiStep(milestones=[3]), Inverse(half=3), lambda iteration: 1.0)
    assert not any(isinstance(schedule, Ending) for schedule in others)


def test_a_pool_of_0_passes_constants_through():
    images = numbered(1, 2).clone().requires_grad_()
    passed = ImagePool(0)(images)
    assert torch.equal(passed, images)
    assert not passed.requires_grad


def test_a_pool_fills_before_it_exchanges():
    torch.manual_seed(0)
    pool = ImagePool(4)
    assert numbers(pool(numbered(1, 2, 3))) == [1, 2, 3]
    assert numbers(pool.images) == [1, 2, 3]
    assert numbers(pool(numbered(4))) == [4]


@settings(deadline=None, max_examples=25)
@given(
    size=st.integers(1, 5), batches=st.lists(st.integers(1, 4), max_size=8), seed=st.integers(0, 99)
)
def test_images_are_exchanged_never_lost_or_doubled(size, batches, seed):
    torch.manual_seed(seed)
    pool, given_away, count = ImagePool(size), [], 0
    for batch in batches:
        fresh = list(range(count, count + batch))
        returned = numbers(pool(numbered(*fresh)))
        assert len(returned) == batch
        assert all(old in fresh or old < count for old in returned)
        given_away, count = given_away + returned, count + batch
    inside = numbers(pool.images)
    assert len(inside) == min(size, count)
    # While it fills, an image is both passed on and kept; whatever is kept later was not passed on.
    assert sorted(set(given_away) | set(inside)) == list(range(count))
    assert len(set(inside)) == len(inside)
    assert len(given_away) == count


def test_half_of_the_images_are_older_ones():
    torch.manual_seed(0)
    pool = ImagePool(10)
    returned = [numbers(pool(numbered(number)))[0] for number in range(1010)]
    assert returned[:10] == list(range(10))
    older = [number for count, number in enumerate(returned) if number < count]
    assert 440 < len(older) < 560  # 500 +- 4 standard deviations
    assert set(range(10)) < set(older), "every slot has been exchanged"


def test_a_pool_keeps_copies():
    images = numbered(1, 2).clone()
    pool = ImagePool(2)
    pool(images)
    images.zero_()
    assert numbers(pool.images) == [1, 2]


def test_the_state_of_a_pool_goes_on_as_it_would_have():
    torch.manual_seed(0)
    pool = ImagePool(3)
    pool(numbered(1, 2, 3, 4, 5))
    other = ImagePool(3)
    other.restore(pool.state(), torch.device("cpu"))
    outcomes = []
    for each in (pool, other):
        torch.manual_seed(1)
        outcomes.append((numbers(each(numbered(6, 7, 8, 9))), numbers(each.images)))
    assert outcomes[0] == outcomes[1]


# Averages


def test_averages_by_hand():
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(1)
    ema = EMA({"it": network}, decay=0.5)
    expected = 1.0
    for updates, weight in enumerate((3.0, -1.0, 5.0, 5.0, 2.0, 8.0, 8.0, 1.0, 0.0)):
        with torch.no_grad():
            network.weight.fill_(weight)
        ema.update({"it": network}, {"it": updates})
        decay = min(0.5, (1 + updates) / (10 + updates))  # 1/10, 2/11, ... 8/17, 1/2
        expected = decay * expected + (1 - decay) * weight
        assert ema.networks["it"].weight.item() == pytest.approx(expected, rel=1e-6)


def test_averages_of_0_are_copies_and_buffers_always():
    network = nn.BatchNorm1d(2)
    ema = EMA({"it": network}, decay=0.999)
    copied = EMA({"it": network}, decay=0)
    network(torch.randn(8, 2))
    with torch.no_grad():
        network.weight += 1
    for each in (ema, copied):
        each.update({"it": network}, {"it": 10**6})
        average = each.networks["it"]
        assert torch.equal(average.running_mean, network.running_mean)
        assert average.num_batches_tracked == 1
    assert torch.equal(copied.networks["it"].weight, network.weight)
    torch.testing.assert_close(ema.networks["it"].weight, torch.full((2,), 1.001))


def test_averages_are_for_use_only():
    network = nn.Sequential(nn.Linear(1, 1), nn.Dropout())
    before = copy.deepcopy(network.state_dict())
    ema = EMA({"it": network}, decay=0.9)
    ema.train()
    assert not any(module.training for module in ema.modules())
    assert network.training
    assert not any(parameter.requires_grad for parameter in ema.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    ema.update({"it": network}, {"it": 3})
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_networks_without_parameters_can_be_averaged():
    EMA({"it": nn.Identity()}, 0.9).update({"it": nn.Identity()}, {"it": 0})


def test_an_average_is_its_network_until_training_of_it_begins():
    network = nn.Linear(1, 1)
    ema = EMA({"it": network}, 0.9)
    with torch.no_grad():
        network.weight += 1  # as when published weights are loaded
    ema.update({"it": network}, {"it": -5})
    assert torch.equal(ema.networks["it"].weight, network.weight)


def test_an_average_stays_near_its_anchor():
    network, anchor = nn.Linear(1, 1), nn.Linear(1, 1)
    with torch.no_grad():
        network.weight.fill_(3)
        anchor.weight.fill_(1)
    ema = EMA({"it": network, "free": network}, 0, {"it": Anchor(anchor, 0.25)})
    with torch.no_grad():
        anchor.weight.fill_(100)  # it was copied
    ema.update({"it": network, "free": network}, {"it": 7, "free": 7})
    assert ema.networks["it"].weight.item() == pytest.approx(0.75 * 3 + 0.25 * 1)
    assert ema.networks["free"].weight.item() == 3
    assert not any(parameter.requires_grad for parameter in ema.parameters())
